//! The order in which a block executes what it takes from several lanes: a record of each lane in turn.
//!
//! ```text
//! lane 0   a b c           execution   a d f b e c
//! lane 1   d e
//! lane 2   f
//! ```
//!
//! A function of how many records each lane has, so that the records of a block can be told apart again.

/// Which lane's turn it is, record by record, where each lane has so many.
pub(crate) fn turns(counts: &[usize]) -> impl Iterator<Item = usize> {
    let longest = counts.iter().copied().max().unwrap_or(0);
    (0..longest).flat_map(move |round| (0..counts.len()).filter(move |lane| counts[*lane] > round))
}

/// The records of lanes in execution order.
pub(crate) fn interleave<T>(lanes: Vec<Vec<T>>) -> Vec<T> {
    if lanes.len() == 1 {
        return lanes.into_iter().flatten().collect();
    }
    let counts: Vec<usize> = lanes.iter().map(Vec::len).collect();
    let mut lanes: Vec<_> = lanes.into_iter().map(Vec::into_iter).collect();
    turns(&counts).filter_map(|lane| lanes[lane].next()).collect()
}

/// The records of each lane, of a block's in execution order. What is beyond the counts is left out.
pub(crate) fn deal<'a, T>(counts: &[usize], records: &'a [T]) -> Vec<Vec<&'a T>> {
    let mut lanes: Vec<Vec<&T>> = counts.iter().map(|_| Vec::new()).collect();
    for (lane, record) in turns(counts).zip(records) {
        lanes[lane].push(record);
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_take_turns_and_are_told_apart_again() {
        let lanes = vec![vec!['a', 'b', 'c'], vec![], vec!['d', 'e'], vec!['f']];
        let order = interleave(lanes.clone());
        assert_eq!(order, ['a', 'd', 'f', 'b', 'e', 'c']);
        let dealt = deal(&[3, 0, 2, 1], &order);
        let dealt: Vec<Vec<char>> = dealt.into_iter().map(|lane| lane.into_iter().copied().collect()).collect();
        assert_eq!(dealt, lanes);
        assert_eq!(interleave(vec![vec![1, 2]]), [1, 2]);
        assert!(interleave(Vec::<Vec<u8>>::new()).is_empty());
    }
}
