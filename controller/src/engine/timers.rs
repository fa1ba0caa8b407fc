//! One timer per key, driven by one task over tokio's hierarchical wheel.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Weak,
    time::Duration,
};

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

use super::{Lane, ObjectKey, Queue};

/// The handle; the task ends when it is dropped.
pub struct Timers(mpsc::UnboundedSender<Command>);

enum Command {
    Set(ObjectKey, Duration, Lane),
    Cancel(ObjectKey),
}

/// The wheel refuses spans beyond about two years; nobody waits that long for a refresh without a restart.
const LONGEST: Duration = Duration::from_hours(365 * 24);

impl Timers {
    /// Keys whose time has come are added to `queue`.
    pub fn start(queue: Weak<Queue>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(drive(queue, receiver));
        Self(sender)
    }

    /// Replaces the key's timer, if it has one.
    pub fn set(&self, key: ObjectKey, delay: Duration, lane: Lane) {
        // Fails only when the runtime is going down; then no timer is needed.
        let _ = self.0.send(Command::Set(key, delay.min(LONGEST), lane));
    }

    pub fn cancel(&self, key: ObjectKey) {
        let _ = self.0.send(Command::Cancel(key));
    }
}

async fn drive(queue: Weak<Queue>, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut wheel: DelayQueue<(ObjectKey, Lane)> = DelayQueue::new();
    let mut slots: HashMap<ObjectKey, delay_queue::Key> = HashMap::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Set(key, delay, lane)) => match slots.entry(key) {
                    Entry::Occupied(mut slot) => {
                        wheel.remove(slot.get());
                        let key = slot.key().clone();
                        slot.insert(wheel.insert((key, lane), delay));
                    }
                    Entry::Vacant(slot) => {
                        let key = slot.key().clone();
                        slot.insert(wheel.insert((key, lane), delay));
                    }
                },
                Some(Command::Cancel(key)) => {
                    if let Some(slot) = slots.remove(&key) {
                        wheel.remove(&slot);
                    }
                }
                None => return,
            },
            Some(expired) = wheel.next(), if !wheel.is_empty() => {
                let (key, lane) = expired.into_inner();
                slots.remove(&key);
                let Some(queue) = queue.upgrade() else { return };
                queue.remind(&key, lane);
            }
        }
    }
}
