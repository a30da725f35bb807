//! How often a token or an address may ask: a token bucket for each.

use crate::config::Limits;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

/// Buckets that are kept at most; who comes beyond shares one.
const BUCKETS_MAX: usize = 4096;

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Token(String),
    Address(IpAddr),
    Others,
}

/// The buckets.
pub(crate) struct Rate {
    buckets: RateLimiter<Key, HashMapStateStore<Key>, DefaultClock>,
    clock: DefaultClock,
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").finish_non_exhaustive()
    }
}

impl Rate {
    pub fn new(limits: &Limits) -> Self {
        let at_least_one = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.requests_per_s))
            .allow_burst(at_least_one(limits.requests_burst));
        Self {
            buckets: RateLimiter::hashmap(quota),
            clock: DefaultClock::default(),
        }
    }

    /// Takes a request of a token.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn token(&self, name: &str) -> Result<(), Duration> {
        self.take(Key::Token(name.to_owned()))
    }

    /// Takes a request of an address, or of the network of one.
    ///
    /// # Errors
    /// How long it has to wait.
    pub fn address(&self, address: IpAddr) -> Result<(), Duration> {
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain_recent();
        }
        self.take(match self.buckets.len() >= BUCKETS_MAX {
            true => Key::Others,
            false => Key::Address(network(address)),
        })
    }

    fn take(&self, key: Key) -> Result<(), Duration> {
        let taken = self.buckets.check_key(&key);
        taken.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// The address; of IPv6 the network that one client has, since it may use all of it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let bits = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS_MAX, Rate, network};
    use crate::config::Limits;
    use std::net::{IpAddr, Ipv4Addr};

    fn rate(requests_burst: u32) -> Rate {
        Rate::new(&Limits {
            requests_per_s: 1,
            requests_burst,
            ..Limits::default()
        })
    }

    #[test]
    fn tokens_and_addresses_have_buckets_of_their_own() {
        let rate = rate(2);
        let (name, address) = ("a", IpAddr::from([192, 0, 2, 1]));
        for _ in 0..2 {
            assert_eq!(rate.token(name), Ok(()));
            assert_eq!(rate.address(address), Ok(()));
        }
        assert!(rate.token(name).is_err_and(|wait| wait.as_secs() <= 1));
        assert!(rate.address(address).is_err());
        assert_eq!(rate.token("b"), Ok(()));
    }

    #[test]
    fn many_addresses_do_not_make_many_buckets() {
        let rate = rate(10);
        for bits in 0..2 * BUCKETS_MAX as u32 {
            let _ = rate.address(Ipv4Addr::from_bits(bits).into());
        }
        assert!(rate.buckets.len() <= BUCKETS_MAX + 1);
        assert!(rate.address(Ipv4Addr::BROADCAST.into()).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("::1"), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST));
    }
}
