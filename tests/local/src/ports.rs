//! The three ports: opened before anything else, so that a taken one costs nobody a build.

use std::{io, net::Ipv6Addr};

use harness::{Failure, Result};
use tokio::net::TcpListener;

use crate::arguments::Arguments;

/// Where the login listens unless told otherwise.
pub const USUAL_PORT: u16 = 9000;

/// The open ports.
pub struct Ports {
    /// Held only until `cargo lambda watch` opens it.
    pub login: TcpListener,
    /// The simulated WeChat's.
    pub simulator: TcpListener,
    /// The embedded DynamoDB's.
    pub database: TcpListener,
}

impl Ports {
    /// Opens those that the command line names, else the usual ones, else, for a check, free ones.
    pub(crate) async fn open(arguments: &Arguments) -> Result<Self> {
        let choose = |given: Option<u16>, usual| match given {
            Some(port) => port,
            None if arguments.check => 0,
            None => usual,
        };
        let login = claim(choose(arguments.port, USUAL_PORT), LOGIN).await?;
        refuse_shadow(login.local_addr()?.port()).await?;
        let simulator = choose(arguments.simulator_port, 9001);
        let database = choose(arguments.database_port, 9002);
        Ok(Self {
            login,
            simulator: claim(simulator, SIMULATOR).await?,
            database: claim(database, DATABASE).await?,
        })
    }
}

/// Who needs a port, in Chinese and in English, and the option that chooses another.
type Purpose = [&'static str; 3];

const LOGIN: Purpose = ["登录服务", "the login", "--port"];
const SIMULATOR: Purpose = ["微信模拟器", "the simulated WeChat", "--simulator-port"];
const DATABASE: Purpose = ["内嵌的 DynamoDB", "the embedded DynamoDB", "--database-port"];

/// Opens a port, or says who needs it and what to do. Port 0 is any free one.
async fn claim(port: u16, purpose: Purpose) -> Result<TcpListener> {
    let opened = TcpListener::bind(("127.0.0.1", port)).await;
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => taken(port, purpose),
        _ => Failure::from(error).during(format!("端口 {port}（{}） · port {port}", purpose[0])),
    })
}

/// The way out names all three: beside a login that runs already, the next port would be taken as well.
fn taken(port: u16, [chinese, english, option]: Purpose) -> Failure {
    let other = if port > 65_000 { port - 100 } else { port + 100 };
    Failure::new(format!(
        "端口 {port} 已被占用（{chinese}）。请关闭占用它的程序，或换一组端口：\nport {port} is taken, and {english} needs \
         it ({option}). End the program that listens there, or choose other ports:\n  make run ARGS=\"--port {other} \
         --simulator-port {} --database-port {}\"",
        other + 1,
        other + 2
    ))
}

/// A browser may take `localhost` for `::1`, and would then land on another program's page.
async fn refuse_shadow(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(taken(port, LOGIN)),
        // Free, or a machine without IPv6.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_a_taken_port_and_a_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let arguments = Arguments { check: true, simulator_port: Some(port), ..Arguments::default() };
        let failure = Ports::open(&arguments).await.err().unwrap().to_string();
        assert!(failure.contains(&format!("端口 {port} 已被占用（微信模拟器）")), "{failure}");
        assert!(failure.contains(&format!("\nport {port} is taken")), "{failure}");
        assert!(failure.contains("(--simulator-port)"), "{failure}");
    }
}
