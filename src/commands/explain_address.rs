//! `vestibule explain-address`: which address would count as a request's client's, and why.

use std::io::Write;
use std::net::IpAddr;

use clap::Args;

use super::Global;
use super::first_tenant::explain as explain_error;
use super::show::{self, Shape};
use crate::app::Proxies;
use crate::config::{IpNetwork, ProxyHeader};
use crate::http::explain::{AddressExplanation, Asked, explain};

const EXAMPLE: &str = "\
Example:
  vestibule explain-address --peer 10.0.0.1 --header 'X-Forwarded-For: 198.51.100.7, 10.0.0.2' \\
    --trusted-proxies 10.0.0.0/8";

/// What `explain-address` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct ExplainAddress {
    /// The address at the other end of the connection
    #[arg(long, value_name = "IP")]
    peer: IpAddr,
    /// A header line of the request, once for each
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A good backend key comes with it, whose tenant has trustBackendAddress
    #[arg(long)]
    backend_vouches: bool,
    /// The trusted proxies' networks, separated by commas; then no configuration is read
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',', num_args = 0..=1)]
    trusted_proxies: Option<Vec<IpNetwork>>,
    /// The header that trusted proxies write, in place of the configuration's
    #[arg(long, value_name = "HEADER")]
    proxy_header: Option<ProxyHeader>,
    #[command(flatten)]
    shape: Shape,
}

pub(super) fn run(asked: &ExplainAddress, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let proxies = proxies(asked, global)?;
    let request = Asked { peer: asked.peer, headers: &asked.headers, vouched: asked.backend_vouches };
    let told = explain(&request, &proxies).map_err(explain_error)?;
    if asked.shape.json { show::object(out, &told) } else { print(&told, out) }
}

fn proxies(asked: &ExplainAddress, global: &Global) -> anyhow::Result<Proxies> {
    let mut proxies = if let Some(trusted) = &asked.trusted_proxies {
        Proxies { trusted: trusted.clone(), header: ProxyHeader::XForwardedFor }
    } else {
        let config = global.load()?;
        Proxies { trusted: config.trusted_proxies, header: config.proxy_header }
    };
    proxies.header = asked.proxy_header.unwrap_or(proxies.header);
    Ok(proxies)
}

fn print(told: &AddressExplanation, out: &mut dyn Write) -> anyhow::Result<()> {
    match (&told.client_ip, &told.client_ip_reason) {
        (Some(ip), Some(reason)) => writeln!(out, "{ip} ({reason})")?,
        _ => writeln!(out, "refused")?,
    }
    writeln!(out, "{}", told.because)?;
    if !told.hops.is_empty() {
        writeln!(out)?;
        let hops = told.hops.iter().map(|hop| {
            [hop.text.clone(), hop.ip.clone().unwrap_or_else(|| "-".to_owned()), hop.verdict.clone()]
        });
        show::table(out, ["HOP", "ADDRESS", "VERDICT"], hops)?;
    }
    if !told.ignored.is_empty() {
        writeln!(out)?;
        let ignored = told.ignored.iter().map(|header| [header.name.clone(), header.why.clone()]);
        show::table(out, ["IGNORED", "WHY"], ignored)?;
    }
    Ok(())
}
