//! What stands between a namespace's store and OpenBao, and can break it for this namespace alone.

use std::sync::Arc;

use tests::Result;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::steps::Fault;

/// See the module documentation.
pub struct Gate {
    /// What the store names as its server.
    pub address: String,
    fault: Arc<watch::Sender<Option<Fault>>>,
    listener: JoinHandle<()>,
}

const SEALED: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 31\r\n\
                      connection: close\r\n\r\n{\"errors\":[\"Vault is sealed\"]}\n";

impl Gate {
    /// `server`: where OpenBao listens, `http://…`.
    pub async fn new(server: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let server = server.trim_start_matches("http://").to_owned();
        let fault = Arc::new(watch::Sender::new(None));
        let faults = fault.clone();
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, server.clone(), faults.subscribe()));
            }
        });
        Ok(Self { address, fault, listener })
    }

    pub fn set(&self, fault: Option<Fault>) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// One connection, until what is wrong changes.
async fn serve(mut client: TcpStream, server: String, mut fault: watch::Receiver<Option<Fault>>) {
    let now = *fault.borrow_and_update();
    match now {
        Some(Fault::Unreachable) => {}
        Some(Fault::Sealed) => {
            // One request is one segment here: none has a body.
            let mut request = [0; 4096];
            if client.read(&mut request).await.is_ok() {
                let _ = client.write_all(SEALED.as_bytes()).await;
                let _ = client.shutdown().await;
            }
        }
        None => {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = fault.changed() => {}
            }
        }
    }
}
