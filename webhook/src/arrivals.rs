//! Bodies on their way: how long one may take, how large it may be, and what all of them may hold together.
//!
//! A body is judged once it has arrived, so a slow one keeps nobody waiting. What has arrived counts against one budget;
//! when it is used up, the body that has been on its way for longest gives way: those of an API server take milliseconds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

/// An update carries two objects of at most 1.5 MiB (what etcd takes), and the envelope.
pub const BODY_MAX: usize = 3 * 1024 * 1024 + 128 * 1024;
/// The API server waits `timeoutSeconds: 5`; a body that takes longer has nobody waiting for the verdict.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Ten of the largest bodies at once, or thousands of usual ones, within a Pod of 64 MiB.
const BUDGET: usize = 32 * 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    TooLarge,
    TooSlow,
    EndedEarly,
    /// Others needed the room.
    NoRoom,
}

/// See the module documentation.
#[derive(Default)]
pub struct Arrivals(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    bytes: usize,
    on_their_way: BTreeMap<u64, (usize, CancellationToken)>,
}

/// A whole body; its bytes count until it is dropped.
pub struct Arrived {
    pub bytes: Vec<u8>,
    arrivals: Arc<Arrivals>,
}

impl Arrivals {
    /// Takes in a body.
    pub async fn receive(self: &Arc<Self>, body: Body) -> Result<Arrived, Loss> {
        let arriving = Arriving::new(self.clone());
        let room = arriving.give_way.clone();
        tokio::select! {
            () = room.cancelled() => Err(Loss::NoRoom),
            received = tokio::time::timeout(BODY_TIMEOUT, arriving.whole(body)) => received.unwrap_or(Err(Loss::TooSlow)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Room for so many bytes of the body with this number, if need be that of those on their way for longer or, if there
    /// are none, of the others.
    fn take(&mut self, number: u64, count: usize) -> Result<(), Loss> {
        while self.bytes + count > BUDGET {
            let others = self.on_their_way.iter().filter(|(other, (held, _))| **other != number && *held > 0);
            let oldest = others.map(|(other, _)| *other).next().ok_or(Loss::NoRoom)?;
            if let Some((held, give_way)) = self.on_their_way.remove(&oldest) {
                give_way.cancel();
                self.bytes -= held;
            }
        }
        let Some((held, _)) = self.on_their_way.get_mut(&number) else { return Err(Loss::NoRoom) };
        *held += count;
        self.bytes += count;
        Ok(())
    }
}

/// One body on its way.
struct Arriving {
    arrivals: Arc<Arrivals>,
    number: u64,
    give_way: CancellationToken,
}

impl Arriving {
    fn new(arrivals: Arc<Arrivals>) -> Self {
        let give_way = CancellationToken::new();
        let mut state = arrivals.state();
        state.next += 1;
        let number = state.next;
        state.on_their_way.insert(number, (0, give_way.clone()));
        drop(state);
        Self { arrivals, number, give_way }
    }

    async fn whole(self, body: Body) -> Result<Arrived, Loss> {
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Loss::EndedEarly)?;
            if bytes.len() + chunk.len() > BODY_MAX {
                return Err(Loss::TooLarge);
            }
            self.arrivals.state().take(self.number, chunk.len())?;
            bytes.extend_from_slice(&chunk);
        }
        // From here on the bytes are the body's own, and it gives way no more.
        let there = self.arrivals.state().on_their_way.remove(&self.number);
        there.ok_or(Loss::NoRoom)?;
        Ok(Arrived { bytes, arrivals: self.arrivals.clone() })
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut state = self.arrivals.state();
        if let Some((held, _)) = state.on_their_way.remove(&self.number) {
            state.bytes -= held;
        }
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.arrivals.state().bytes -= self.bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use tokio::task::JoinHandle;

    use super::*;

    type Sender = UnboundedSender<Result<Vec<u8>, std::io::Error>>;

    /// A body that arrives as the test sends it.
    fn arriving(arrivals: &Arc<Arrivals>) -> (Sender, JoinHandle<Result<Arrived, Loss>>) {
        let (sender, chunks) = unbounded();
        let arrivals = arrivals.clone();
        (sender, tokio::spawn(async move { arrivals.receive(Body::from_stream(chunks)).await }))
    }

    async fn holding(arrivals: &Arrivals, bytes: usize) {
        while arrivals.state().bytes != bytes {
            tokio::task::yield_now().await;
        }
    }

    const MIB: usize = 1024 * 1024;

    #[tokio::test]
    async fn oldest_body_gives_way_when_there_is_no_room() {
        let arrivals = Arc::new(Arrivals::default());
        let mut slow = Vec::new();
        for count in 1..=BUDGET / (2 * MIB) {
            let (sender, body) = arriving(&arrivals);
            sender.unbounded_send(Ok(vec![b'x'; 2 * MIB])).unwrap();
            holding(&arrivals, count * 2 * MIB).await;
            slow.push((sender, body));
        }
        let whole = arrivals.receive(Body::from(vec![b'y'; 3 * MIB])).await.ok().unwrap();
        assert_eq!(whole.bytes.len(), 3 * MIB);
        let mut gave_way = Vec::new();
        for (number, (sender, body)) in slow.into_iter().enumerate() {
            drop(sender);
            match body.await.unwrap() {
                Ok(arrived) => assert_eq!(arrived.bytes.len(), 2 * MIB),
                Err(loss) => gave_way.push((number, loss)),
            }
        }
        assert_eq!(gave_way, [(0, Loss::NoRoom), (1, Loss::NoRoom)]);
        drop(whole);
        assert_eq!(arrivals.state().bytes, 0);
    }

    #[tokio::test]
    async fn body_that_has_arrived_gives_way_no_more() {
        let arrivals = Arc::new(Arrivals::default());
        let mut whole = Vec::new();
        while arrivals.state().bytes + 3 * MIB <= BUDGET {
            whole.push(arrivals.receive(Body::from(vec![b'x'; 3 * MIB])).await.ok().unwrap());
        }
        assert_eq!(arrivals.receive(Body::from(vec![b'x'; 3 * MIB])).await.err(), Some(Loss::NoRoom));
        whole.pop();
        assert!(arrivals.receive(Body::from(vec![b'x'; 3 * MIB])).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_too_large_or_ends_early_holds_nothing() {
        let arrivals = Arc::new(Arrivals::default());
        assert_eq!(arrivals.receive(Body::from(vec![b'x'; BODY_MAX + 1])).await.err(), Some(Loss::TooLarge));
        let (sender, body) = arriving(&arrivals);
        sender.unbounded_send(Ok(vec![b'x'; MIB])).unwrap();
        sender.unbounded_send(Err(std::io::ErrorKind::ConnectionReset.into())).unwrap();
        assert_eq!(body.await.unwrap().err(), Some(Loss::EndedEarly));
        assert_eq!(arrivals.state().bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_takes_too_long_is_not_waited_for() {
        let arrivals = Arc::new(Arrivals::default());
        let (sender, body) = arriving(&arrivals);
        sender.unbounded_send(Ok(vec![b'x'; MIB])).unwrap();
        assert_eq!(body.await.unwrap().err(), Some(Loss::TooSlow));
        assert_eq!(arrivals.state().bytes, 0);
    }
}
