//! Accepts connections within limits, and lets requests end before it ends.

use super::connection::Connections;
use crate::config::Http;
use anyhow::Context;
use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Opens the port; says in words if somebody has it.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("http.bind: {address} cannot be listened on"))
}

/// Serves until `stop`, then waits for what is under way, at most `drain_s`.
pub async fn run(
    listener: TcpListener,
    router: Router,
    limits: &Http,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let tasks = TaskTracker::new();
    let head_timeout = Duration::from_secs(limits.header_timeout_s);
    let connections = Arc::new(Connections { router, head_timeout, stop: stop.clone() });
    loop {
        let (stream, peer, slot) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted?,
        };
        let connections = Arc::clone(&connections);
        tasks.spawn(async move {
            if let Err(error) = connections.serve(stream, peer).await {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
            drop(slot);
        });
    }
    drop(listener);
    tasks.close();
    if timeout(Duration::from_secs(limits.drain_s), tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests were cut off");
    }
    Ok(())
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> anyhow::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and whole; waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%peer, %error, "no TCP_NODELAY");
                }
                return Ok((stream, peer, slot));
            }
            // Out of file descriptors, or a client that gave up: neither ends the service.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
