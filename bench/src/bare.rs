//! The HTTP stack with nothing behind it: what an answer costs at the least. A process of its own, so that its processor
//! time is known.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::Result;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::any;
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::installation::{Server, free_port};

/// Answers every request with a document of so many bytes, until the process is stopped.
pub async fn serve(address: SocketAddr, bytes: usize) -> Result<()> {
    let document = Bytes::from(format!("\"{}\"", "x".repeat(bytes.saturating_sub(2))));
    let answer = move || async move { ([(CONTENT_TYPE, "application/json")], document.clone()) };
    let router = Router::new().route("/{*path}", any(answer.clone())).fallback(any(answer));
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}

/// Starts such a process.
pub fn start(bytes: usize) -> Result<Server> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let process = Command::new(std::env::current_exe()?)
        .args(["bare", &address.to_string(), &bytes.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    Server::other(process, address)
}
