//! One HTTP/1.1 connection that is kept, with one request at a time.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

pub type Body = Full<Bytes>;

/// A connection to a server.
pub struct Connection {
    address: SocketAddr,
    from: Ipv4Addr,
    sender: SendRequest<Body>,
}

impl Connection {
    /// Connects, from one of the loopback addresses.
    pub async fn open(address: SocketAddr, from: Ipv4Addr) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from.into(), 0)).with_context(|| format!("connecting from {from}"))?;
        let stream = socket.connect(address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { address, from, sender })
    }

    /// The answer, whole. After a failure the connection is opened anew.
    pub async fn send(&mut self, request: Request<Body>) -> Result<(StatusCode, Bytes)> {
        let answer = exchange(&mut self.sender, request).await;
        if answer.is_err() || self.sender.is_closed() {
            *self = Self::open(self.address, self.from).await?;
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
