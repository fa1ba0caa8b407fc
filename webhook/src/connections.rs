//! Who is connected, and who has to go when there is no room.
//!
//! Whoever reaches the port may connect, so places are never simply taken: with all of them in use the next client gets
//! the place of the one that is worth least. Clients without an answer yet (silent ones, slow handshakes, requests that never
//! end) are strangers. While these are the smaller part, whoever is silent since its last answer for longest goes: API
//! servers leave connections behind whenever the trusted authorities change. Where strangers crowd the house, they make room
//! for each other, the longest there first, as soon as they have had the time that an API server needs. A connection on which
//! a review is being judged never goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// Connections at once. An API server opens one per concurrent request and keeps it for 90 s; all fit beside the rest
/// into the 1,024 file descriptors that a process has by default.
pub const PLACES: usize = 800;
/// From connecting to an answer an API server needs a few milliseconds; who took longer than this makes room.
const GRACE: Duration = Duration::from_millis(100);

/// See the module documentation.
pub struct Connections {
    places: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    open: usize,
    /// Without an answer yet, by the order in which they came.
    strangers: BTreeMap<u64, (Instant, CancellationToken)>,
    /// Silent since an answer, by the order of those.
    idle: BTreeMap<u64, CancellationToken>,
}

/// The place of one connection, free again when dropped.
pub struct Place {
    connections: Arc<Connections>,
    leave: CancellationToken,
    standing: Mutex<Standing>,
}

struct Standing {
    /// Its number among those who may have to go.
    number: Option<u64>,
    /// Reviews in hand: HTTP/2 sends several at once.
    judging: usize,
}

impl Connections {
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, state: Mutex::default() })
    }

    /// A place for a new connection, if need be that of another, which is told to leave; or how long to wait until
    /// somebody can be told.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Result<Place, Duration> {
        let mut state = self.state();
        if state.open >= self.places {
            state.make_room(self.places, now)?;
        }
        let leave = CancellationToken::new();
        let number = state.next();
        state.open += 1;
        state.strangers.insert(number, (now, leave.clone()));
        let standing = Mutex::new(Standing { number: Some(number), judging: 0 });
        Ok(Place { connections: self.clone(), leave, standing })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn make_room(&mut self, places: usize, now: Instant) -> Result<(), Duration> {
        let crowded = self.strangers.len() * 2 > places;
        let silent = if crowded { None } else { self.idle.pop_first().map(|(_, leave)| leave) };
        let leaving = match (silent, self.strangers.first_entry()) {
            (Some(leave), _) => leave,
            (None, Some(oldest)) => {
                let wait = GRACE.saturating_sub(now.saturating_duration_since(oldest.get().0));
                if !wait.is_zero() {
                    return Err(wait);
                }
                oldest.remove().1
            }
            // Every place is busy with a review, and the first to end makes room.
            (None, None) => return Err(GRACE),
        };
        leaving.cancel();
        self.open -= 1;
        Ok(())
    }

    /// Whether the number was among those who may have to go; if not, its place is somebody else's by now.
    fn forget(&mut self, number: u64) -> bool {
        self.strangers.remove(&number).is_some() | self.idle.remove(&number).is_some()
    }
}

impl Place {
    /// Ends when the connection has to make room.
    pub async fn has_to_go(&self) {
        self.leave.cancelled().await;
    }

    /// A review has arrived and is being judged until the answer is dropped.
    pub fn judging(self: &Arc<Self>) -> Judging {
        let mut standing = self.standing();
        standing.judging += 1;
        // Told to go a moment ago: then the answer comes too late, and its place counts no more.
        if let Some(number) = standing.number.take()
            && !self.connections.state().forget(number)
        {
            standing.number = Some(number);
        }
        drop(standing);
        Judging(self.clone())
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.standing().number;
        let mut state = self.connections.state();
        if number.is_none_or(|number| state.forget(number)) {
            state.open -= 1;
        }
    }
}

/// See [`Place::judging`].
pub struct Judging(Arc<Place>);

impl Drop for Judging {
    fn drop(&mut self) {
        let place = &self.0;
        let mut standing = place.standing();
        standing.judging -= 1;
        if standing.judging == 0 && standing.number.is_none() {
            let mut state = place.connections.state();
            let number = state.next();
            state.idle.insert(number, place.leave.clone());
            standing.number = Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(place: &Place) -> bool {
        place.leave.is_cancelled()
    }

    /// Three places, all taken at `now`.
    fn full(now: Instant) -> (Arc<Connections>, Vec<Arc<Place>>) {
        let connections = Connections::new(3);
        let places = (0..3).map(|_| Arc::new(connections.enter(now).ok().unwrap())).collect();
        (connections, places)
    }

    #[test]
    fn place_is_free_again_when_its_connection_ends() {
        let now = Instant::now();
        let (connections, mut places) = full(now);
        assert_eq!(connections.enter(now).err(), Some(GRACE));
        places.remove(1);
        let fourth = connections.enter(now).ok().unwrap();
        assert!(places.iter().all(|place| !gone(place)) && !gone(&fourth));
    }

    #[test]
    fn strangers_who_crowd_the_house_make_room_for_each_other() {
        let now = Instant::now();
        let (connections, places) = full(now);
        drop(places[0].judging());
        let fourth = Arc::new(connections.enter(now + GRACE).ok().unwrap());
        assert_eq!(places.iter().map(|place| gone(place)).collect::<Vec<_>>(), [false, true, false]);
        assert!(!gone(&fourth));
    }

    #[test]
    fn few_strangers_are_left_alone_where_others_are_silent() {
        let now = Instant::now();
        let (connections, places) = full(now);
        drop(places[1].judging());
        drop(places[0].judging());
        let _fourth = connections.enter(now + GRACE).ok().unwrap();
        assert_eq!(places.iter().map(|place| gone(place)).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn without_strangers_the_longest_silent_goes() {
        let now = Instant::now();
        let (connections, places) = full(now);
        for place in [2, 0, 1] {
            drop(places[place].judging());
        }
        let _fourth = connections.enter(now).ok().unwrap();
        assert_eq!(places.iter().map(|place| gone(place)).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn stranger_has_the_time_that_an_api_server_needs() {
        let now = Instant::now();
        let (connections, places) = full(now);
        assert_eq!(connections.enter(now + GRACE / 4).err(), Some(GRACE * 3 / 4));
        assert!(places.iter().all(|place| !gone(place)));
    }

    #[test]
    fn who_is_being_judged_never_goes() {
        let now = Instant::now();
        let (connections, places) = full(now);
        let judging: Vec<_> = places.iter().map(Place::judging).collect();
        let again = places[0].judging();
        assert!(connections.enter(now + GRACE * 9).is_err());
        drop(judging);
        let _fourth = connections.enter(now + GRACE * 9).ok().unwrap();
        assert_eq!(places.iter().map(|place| gone(place)).collect::<Vec<_>>(), [false, true, false]);
        drop(again);
    }

    #[test]
    fn who_was_told_to_go_frees_no_second_place() {
        let now = Instant::now();
        let (connections, places) = full(now);
        let later = now + GRACE;
        let newer: Vec<_> = (0..3).map(|_| connections.enter(later).ok().unwrap()).collect();
        assert!(places.iter().all(|place| gone(place)));
        drop(places[0].judging());
        drop(places);
        assert!(connections.enter(later).is_err(), "three are there");
        drop(newer);
        assert_eq!(connections.state().open, 0);
    }
}
