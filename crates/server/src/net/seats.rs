//! Seats: which connections a listener takes in. Their number is bounded at the listener, by the descriptors of the
//! process, and for each address that they come from.
//!
//! Where all seats of a listener for operators are taken, a few more connections are let in all the same, as *guests*:
//! they are served for moments, and the one that says nothing gives way to the next. So an operator gets through to a
//! server that is full, or under attack.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::descriptors::{Descriptor, Descriptors};

/// Guests at once: a browser with the console open takes six connections, and `curl` beside it.
const GUESTS_MAX: usize = 16;
/// How long a guest has to say what it wants.
pub(crate) const GUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Bits of an IPv6 address that tell one customer of a provider from the next.
const IPV6_PREFIX_BITS: u32 = 64;

/// The seats of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: Arc<AtomicUsize>,
    descriptors: Arc<Descriptors>,
    guests: Arc<Guests>,
    takes_guests: bool,
}

/// A connection's place; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Seat {
    _taken: Option<Counted>,
    guest: Option<Guest>,
    _descriptor: Descriptor,
    /// Its place among those from its address.
    pub(super) place: Option<Place>,
}

/// Why nobody more is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The listener's `connections_max`.
    Seats,
    /// The descriptors that the system gives.
    Descriptors,
    /// A guest is on its way out.
    Guests,
}

impl Seats {
    /// Of a listener that takes guests, or does not.
    pub(super) fn new(descriptors: Arc<Descriptors>, guests: Arc<Guests>, takes_guests: bool) -> Self {
        Self { taken: Arc::default(), descriptors, guests, takes_guests }
    }

    /// A seat among `max`, or a guest's. Only the listener's own task takes seats.
    pub(super) fn take(&self, max: usize) -> Result<Seat, Full> {
        let why = if self.taken.load(Ordering::Relaxed) < max {
            match self.descriptors.take(self.guests.max) {
                Some(descriptor) => {
                    let taken = Some(Counted::new(&self.taken));
                    return Ok(Seat { _taken: taken, guest: None, _descriptor: descriptor, place: None });
                }
                None => Full::Descriptors,
            }
        } else {
            Full::Seats
        };
        if !self.takes_guests {
            return Err(why);
        }
        let guest = self.guests.take(why)?;
        let descriptor = self.descriptors.take(0).ok_or(Full::Descriptors)?;
        Ok(Seat { _taken: None, guest: Some(guest), _descriptor: descriptor, place: None })
    }

    /// See [`Descriptors::lend_spare`].
    pub(super) fn lend_spare(&self, close_one: impl FnOnce()) {
        self.descriptors.lend_spare(close_one);
    }
}

impl Seat {
    /// The guest, where it is one's.
    pub(crate) fn guest(&self) -> Option<&Guest> {
        self.guest.as_ref()
    }
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All guests, those that came first in front.
#[derive(Debug)]
pub(crate) struct Guests {
    max: usize,
    seated: Mutex<VecDeque<Arc<Standing>>>,
}

/// A connection that was let in although all seats are taken; dropping it makes room for the next.
#[derive(Debug)]
pub(crate) struct Guest {
    guests: Arc<Guests>,
    standing: Arc<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    has_asked: AtomicBool,
    is_leaving: AtomicBool,
    gives_way: Notify,
}

impl Guests {
    /// As many as there may be where connections have so many descriptors.
    pub(crate) fn of(descriptors: &Descriptors) -> Self {
        Self { max: GUESTS_MAX.min(descriptors.max() / 4), seated: Mutex::default() }
    }

    /// A guest's place. Where there is none, a guest that says nothing has to go first.
    fn take(self: &Arc<Self>, full: Full) -> Result<Guest, Full> {
        let mut seated = self.seated.lock();
        if seated.len() < self.max {
            let standing = Arc::<Standing>::default();
            seated.push_back(Arc::clone(&standing));
            return Ok(Guest { guests: Arc::clone(self), standing });
        }
        if seated.iter().any(|guest| guest.is_leaving.load(Ordering::Relaxed)) {
            return Err(Full::Guests);
        }
        let silent = seated.iter().find(|guest| !guest.has_asked.load(Ordering::Relaxed)).ok_or(full)?;
        silent.is_leaving.store(true, Ordering::Relaxed);
        silent.gives_way.notify_one();
        Err(Full::Guests)
    }
}

impl Guest {
    /// It has said what it wants, and stays until it is answered.
    pub(crate) fn asks(&self) {
        self.standing.has_asked.store(true, Ordering::Relaxed);
    }

    /// Waits until it has to make room for the next.
    pub(crate) async fn gives_way(&self) {
        self.standing.gives_way.notified().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.seated.lock().retain(|standing| !Arc::ptr_eq(standing, &self.standing));
    }
}

/// How many there are from each address.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// A place among those from one address; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    network: IpAddr,
}

impl Addresses {
    /// A place for somebody from this address, if fewer than `max` are there; 0 bounds nothing. This machine itself
    /// needs none: tests, relays and proxies come from it. Of IPv6 all of a network of 64 bits is one address.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, max: usize) -> Result<Option<Place>, ()> {
        if max == 0 || address.is_loopback() {
            return Ok(None);
        }
        let network = network(address);
        let mut counts = self.0.lock();
        let count = counts.entry(network).or_default();
        if *count >= max {
            return Err(());
        }
        *count += 1;
        Ok(Some(Place { addresses: Arc::clone(self), network }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock();
        let Some(count) = counts.get_mut(&self.network) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&self.network);
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => {
            let prefix = u128::MAX << (128 - IPV6_PREFIX_BITS);
            Ipv6Addr::from_bits(address.to_bits() & prefix).into()
        }
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(descriptors: usize, takes_guests: bool) -> Seats {
        let descriptors = Arc::new(Descriptors::new(descriptors));
        let guests = Arc::new(Guests::of(&descriptors));
        Seats::new(descriptors, guests, takes_guests)
    }

    #[tokio::test]
    async fn where_all_seats_are_taken_who_says_nothing_gives_way() {
        let seats = seats(8, true);
        let _seat = seats.take(1).unwrap();
        let (first, second) = (seats.take(1).unwrap(), seats.take(1).unwrap());
        first.guest().unwrap().asks();
        assert_eq!(seats.take(1).unwrap_err(), Full::Guests);
        second.guest().unwrap().gives_way().await;
        assert_eq!(seats.take(1).unwrap_err(), Full::Guests, "it has not gone yet");
        drop(second);
        let third = seats.take(1).unwrap();
        third.guest().unwrap().asks();
        assert_eq!(seats.take(1).unwrap_err(), Full::Seats, "both guests are being answered");
        drop(first);
        assert!(seats.take(1).unwrap().guest().is_some());
        assert!(seats.take(2).unwrap().guest().is_none(), "there is a seat again");
    }

    #[test]
    fn descriptors_are_kept_for_guests() {
        let seats = seats(8, false);
        let taken: Vec<_> = (0..6).map(|_| seats.take(100).unwrap()).collect();
        assert_eq!(seats.take(100).unwrap_err(), Full::Descriptors);
        drop(taken);
        assert!(seats.take(100).is_ok());
    }

    #[test]
    fn each_address_has_its_places_and_this_machine_all() {
        let addresses = Arc::<Addresses>::default();
        let take = |address: &str, max| addresses.take(address.parse().unwrap(), max);
        let first = take("192.0.2.1", 2).unwrap();
        let second = take("192.0.2.1", 2).unwrap();
        assert!(first.is_some() && take("192.0.2.1", 2).is_err());
        let other = take("192.0.2.2", 2).unwrap();
        drop(second);
        assert!(take("192.0.2.1", 2).is_ok());
        assert!(matches!(take("192.0.2.1", 0), Ok(None)) && matches!(take("127.0.0.1", 1), Ok(None)));
        let neighbour = take("2001:db8::1", 1).unwrap();
        assert!(take("2001:db8::ffff:2", 1).is_err() && take("2001:db8:0:1::1", 1).is_ok());
        drop((first, other, neighbour));
        assert!(addresses.0.lock().is_empty());
    }
}
