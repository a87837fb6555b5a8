//! The gate: which handshakes that others begin are gone into.
//!
//! A handshake costs a signature and some kilobytes, and its first packet costs whoever sends it nothing, not even its
//! own address. So few are under way at once, and each IP address (IPv6: each /64) has a rate. While few are under way,
//! one is gone into at once; beyond that, and for an address over its rate, whoever dials first proves with one more
//! round trip that it receives what is sent there (RFC 9000, section 8.1.2). Proven and unproven attempts are counted
//! apart, so that nobody can use up another's rate by sending in its name. It reads no clock.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use tokio::time::Instant;

use crate::{budget::Budget, config::Config};

/// Networks whose rate is remembered.
const NETWORKS: usize = 4_096;
/// Seconds' worth of handshakes that may come at once: a machine with several nodes restarts.
const BURST: u64 = 4;

/// What to do with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Go into it. [`Gate::done`] is to be called when the handshake has come to an end.
    Accept,
    /// Ask for a proof of the address.
    Prove,
    /// Refuse.
    Refuse,
}

#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    most_unproven: usize,
    per_second: u64,
    under_way: usize,
    /// By network and whether it was proven.
    budgets: HashMap<(IpAddr, bool), Budget>,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            most: config.handshakes,
            most_unproven: config.handshakes_unproven,
            per_second: config.handshakes_per_ip_per_second,
            under_way: 0,
            budgets: HashMap::new(),
        }
    }

    pub(crate) fn admit(&mut self, ip: IpAddr, is_proven: bool, now: Instant) -> Admission {
        let otherwise = if is_proven { Admission::Refuse } else { Admission::Prove };
        if self.under_way >= self.most {
            return Admission::Refuse;
        }
        if (!is_proven && self.under_way >= self.most_unproven) || !self.spend((network(ip), is_proven), now) {
            return otherwise;
        }
        self.under_way += 1;
        Admission::Accept
    }

    pub(crate) fn done(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    fn spend(&mut self, key: (IpAddr, bool), now: Instant) -> bool {
        if !self.budgets.contains_key(&key) && self.budgets.len() >= NETWORKS {
            self.budgets.retain(|_, budget| !budget.is_full(now));
            if self.budgets.len() >= NETWORKS {
                return false;
            }
        }
        let new = || Budget::new(self.per_second, self.per_second * BURST, now);
        self.budgets.entry(key).or_insert_with(new).try_spend(1, now)
    }
}

/// What one party has of addresses: one of IPv4, 2⁶⁴ of IPv6.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{config::Clock, tests::CHAIN};

    const SECOND: Duration = Duration::from_secs(1);

    fn gate() -> Gate {
        let clock = Clock::new(Default::default);
        let config = Config::new(CHAIN, "127.0.0.1:0".parse().unwrap(), clock);
        Gate::new(&Config { handshakes: 6, handshakes_unproven: 3, handshakes_per_ip_per_second: 1, ..config })
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test(start_paused = true)]
    async fn few_are_under_way_and_fewer_without_a_proof() {
        let (mut gate, now) = (gate(), Instant::now());
        for last in 0..3 {
            assert_eq!(gate.admit(ip(last), false, now), Admission::Accept);
        }
        assert_eq!(gate.admit(ip(3), false, now), Admission::Prove);
        for last in 3..6 {
            assert_eq!(gate.admit(ip(last), true, now), Admission::Accept);
        }
        assert_eq!(gate.admit(ip(6), true, now), Admission::Refuse);
        gate.done();
        assert_eq!(gate.admit(ip(6), true, now), Admission::Accept);
    }

    #[tokio::test(start_paused = true)]
    async fn a_victim_s_rate_is_not_used_up_in_its_name() {
        let (mut gate, now) = (gate(), Instant::now());
        let mut admit = |is_proven, now| {
            let admission = gate.admit(ip(1), is_proven, now);
            if admission == Admission::Accept {
                gate.done();
            }
            admission
        };
        while admit(false, now) == Admission::Accept {}
        assert_eq!(admit(false, now), Admission::Prove);
        assert_eq!(admit(true, now), Admission::Accept);
        while admit(true, now) == Admission::Accept {}
        assert_eq!(admit(true, now), Admission::Refuse);
        assert_eq!(admit(true, now + SECOND), Admission::Accept);
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_take_a_bounded_table_and_a_network_counts_once() {
        let (mut gate, now) = (gate(), Instant::now());
        for number in 0..3 * NETWORKS as u32 {
            if gate.admit(std::net::Ipv4Addr::from(number).into(), true, now) == Admission::Accept {
                gate.done();
            }
        }
        assert_eq!(gate.budgets.len(), NETWORKS);
        // And is clear again after a while.
        assert_eq!(gate.admit(ip(1), true, now + 9 * SECOND), Admission::Accept);
        assert_eq!(gate.budgets.len(), 1);
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff:1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), ip(1));
    }
}
