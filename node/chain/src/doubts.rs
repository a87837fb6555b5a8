//! Lanes of which validators may have different records, and how a leader proposes nevertheless.
//!
//! An owner that tells some one thing and others another would stop the chain: whoever takes its records is voted for
//! by half. So a leader takes nothing, for a turn, of a lane of which it has seen other records proposed than it has,
//! the next time for two turns, then four … Where its own proposal came to nothing it cannot know why: each lane that it
//! took from is taken from alone then, by turns with the rest, until a final block takes from it.
//!
//! A leader that lies about an honest owner's lane delays it, and no more: the next that takes from it is voted for by
//! all who are honest, which ends the doubt.

use std::collections::BTreeMap;

/// Turns that a lane is left out at the most where proposals contradicted what is here.
const MOST: u32 = 64;
/// And where own proposals of it alone came to nothing: mostly the network is to blame then.
const FEW: u32 = 4;

/// The lanes that are in doubt.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    lanes: BTreeMap<u32, Doubt>,
    /// Own proposals so far.
    turns: usize,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// It is taken from alone.
    is_apart: bool,
    /// Turns in which it is left out yet.
    left: u32,
    /// Turns the next time.
    next: u32,
}

impl Doubts {
    /// Somebody proposed other records of a lane than are here.
    pub(crate) fn contradicted(&mut self, lane: u32) {
        self.raise(lane, MOST);
    }

    /// An own proposal that took from these lanes came to nothing.
    pub(crate) fn failed(&mut self, lanes: &[u32]) {
        for lane in lanes {
            self.of(*lane).is_apart = true;
        }
        if let [lane] = lanes {
            self.raise(*lane, FEW);
        }
    }

    /// A final block took from a lane.
    pub(crate) fn agreed(&mut self, lane: u32) {
        self.lanes.remove(&lane);
    }

    /// Lanes are others now.
    pub(crate) fn clear(&mut self) {
        self.lanes.clear();
    }

    /// Whether a lane is left out of this turn's proposal.
    pub(crate) fn leaves_out(&self, lane: u32) -> bool {
        self.lanes.get(&lane).is_some_and(|doubt| doubt.left > 0)
    }

    /// Of the lanes in which something waits, those that this turn's proposal takes from. The next turn may take from
    /// others.
    pub(crate) fn choose(&mut self, lanes: Vec<u32>) -> Vec<u32> {
        let (apart, together): (Vec<u32>, Vec<u32>) = lanes
            .into_iter()
            .filter(|lane| !self.leaves_out(*lane))
            .partition(|lane| self.lanes.get(lane).is_some_and(|doubt| doubt.is_apart));
        let mut groups: Vec<Vec<u32>> = apart.into_iter().map(|lane| vec![lane]).collect();
        groups.extend(Some(together).filter(|together| !together.is_empty()));
        let turn = self.turns;
        self.turns = self.turns.wrapping_add(1);
        for doubt in self.lanes.values_mut() {
            doubt.left = doubt.left.saturating_sub(1);
        }
        if groups.is_empty() { Vec::new() } else { groups.swap_remove(turn % groups.len()) }
    }

    fn raise(&mut self, lane: u32, most: u32) {
        let doubt = self.of(lane);
        // One that is left out already is not taken from: nothing new is known of it.
        if doubt.left == 0 {
            doubt.left = doubt.next;
            doubt.next = (doubt.next * 2).min(most.max(doubt.next));
        }
    }

    fn of(&mut self, lane: u32) -> &mut Doubt {
        self.lanes.entry(lane).or_insert(Doubt { is_apart: false, left: 0, next: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns until the lane is taken from.
    fn turns(doubts: &mut Doubts) -> u32 {
        let mut turns = 0;
        while doubts.choose(vec![1]).is_empty() {
            turns += 1;
        }
        turns
    }

    #[test]
    fn a_lane_is_left_out_longer_each_time_until_a_block_takes_from_it() {
        let mut doubts = Doubts::default();
        let mut left_out = Vec::new();
        for _ in 0..8 {
            doubts.contradicted(1);
            // Said again meanwhile, it is the same doubt.
            doubts.contradicted(1);
            left_out.push(turns(&mut doubts));
        }
        assert_eq!(left_out, [1, 2, 4, 8, 16, 32, 64, 64]);
        doubts.agreed(1);
        doubts.contradicted(1);
        assert_eq!(doubts.choose(vec![0, 1, 2]), [0, 2]);
        assert_eq!(doubts.choose(vec![0, 1, 2]), [0, 1, 2]);
    }

    #[test]
    fn of_lanes_that_came_to_nothing_together_the_bad_one_is_found() {
        let mut doubts = Doubts::default();
        let lanes = vec![0, 1, 2];
        let mut taken = Vec::new();
        for _ in 0..40 {
            let chosen = doubts.choose(lanes.clone());
            if chosen.contains(&1) {
                doubts.failed(&chosen);
            } else {
                chosen.iter().for_each(|lane| doubts.agreed(*lane));
                taken.extend(chosen);
            }
        }
        assert!(taken.iter().filter(|lane| **lane == 0).count() >= 25, "{taken:?}");
        assert!(taken.iter().filter(|lane| **lane == 2).count() >= 25, "{taken:?}");
    }

    #[test]
    fn a_lane_alone_that_came_to_nothing_is_a_small_doubt() {
        let mut doubts = Doubts::default();
        let mut left_out = Vec::new();
        for _ in 0..5 {
            doubts.failed(&[1]);
            left_out.push(turns(&mut doubts));
        }
        assert_eq!(left_out, [1, 2, 4, 4, 4]);
    }
}
