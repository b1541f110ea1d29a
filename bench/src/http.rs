//! One HTTP/1.1 connection that is kept, with one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub type Body = Full<Bytes>;

/// A connection to a server.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Body>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { address, sender })
    }

    /// The answer, whole. After a failure the connection is opened anew.
    pub async fn send(&mut self, request: Request<Body>) -> Result<(StatusCode, Bytes)> {
        let answer = exchange(&mut self.sender, request).await;
        if answer.is_err() || self.sender.is_closed() {
            *self = Self::open(self.address).await?;
        }
        answer
    }
}

async fn exchange(sender: &mut SendRequest<Body>, request: Request<Body>) -> Result<(StatusCode, Bytes)> {
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
