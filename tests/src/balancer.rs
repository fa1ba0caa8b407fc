//! Plays a Service: one address on 127.0.0.1 before several backends, some of which take new connections.
//!
//! As kube-proxy does: a connection goes to one backend and stays there, also when that backend takes no new ones any more.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::failure::Result;

type Backends = Arc<Mutex<Vec<u16>>>;

/// See the module documentation. It belongs to the runtime that started it.
pub struct Balancer {
    ready: Backends,
    listening: JoinHandle<()>,
}

impl Balancer {
    /// Listens at `port`, with no backend yet.
    pub async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let ready = Backends::default();
        let backends = ready.clone();
        let turn = Arc::new(AtomicUsize::new(0));
        let listening = tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let Some(port) = next(&backends, &turn) else { continue };
                tokio::spawn(async move {
                    // Ends that break off are the business of those who talk through it.
                    let _ = hand_on(caller, port).await;
                });
            }
        });
        Ok(Self { ready, listening })
    }

    /// New connections go to this port, too: its process is ready.
    pub fn enter(&self, port: u16) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(port);
    }

    /// No new connection goes to this port: its process is told to stop.
    pub fn leave(&self, port: u16) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != port);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn next(backends: &Backends, turn: &AtomicUsize) -> Option<u16> {
    let backends = backends.lock().unwrap_or_else(PoisonError::into_inner);
    let turn = turn.fetch_add(1, Ordering::Relaxed);
    backends.get(turn.checked_rem(backends.len())?).copied()
}

async fn hand_on(mut caller: TcpStream, port: u16) -> io::Result<()> {
    let mut backend = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    caller.set_nodelay(true)?;
    backend.set_nodelay(true)?;
    copy_bidirectional(&mut caller, &mut backend).await.map(drop)
}
