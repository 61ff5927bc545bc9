//! Serves the simulator until Ctrl-C.

mod arguments;

use std::{io::Write, path::Path, process::ExitCode};

use simulator::{Settings, Simulator, tls_config};
use tokio::net::TcpListener;

use arguments::{Arguments, Parsed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Help) => return say(&mut std::io::stdout(), arguments::HELP, ExitCode::SUCCESS),
        Err(error) => return fail(&error.to_string()),
    };
    match serve(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

async fn serve(arguments: Arguments) -> Result<(), String> {
    let settings = match &arguments.settings {
        Some(path) => {
            let json = String::from_utf8_lossy(&read(path)?).into_owned();
            Settings::from_json(&json).map_err(|cause| format!("{}: {cause}", path.display()))?
        }
        None => Settings::example(),
    };
    let settings = arguments.applied_to(settings);
    if arguments.print_settings {
        let json = serde_json::to_string_pretty(&settings).map_err(|cause| cause.to_string())?;
        say(&mut std::io::stdout(), &format!("{json}\n"), ExitCode::SUCCESS);
        return Ok(());
    }
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(tls_config(&read(certificate)?, &read(key)?)?),
        _ => None,
    };
    let address = arguments.listen.as_deref().unwrap_or("127.0.0.1:9001");
    let listener = TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is taken by another program; choose another address with --listen")
        }
        _ => format!("cannot listen on {address}: {cause}"),
    })?;
    let bound = listener.local_addr().map_err(|cause| cause.to_string())?;
    let simulator = Simulator::new(settings);
    simulator.default_knobs(|knobs| {
        knobs.check_user_agent = !arguments.any_user_agent;
        knobs.clock = arguments.clock;
        // Without a certificate there is plain HTTP and nothing else.
        knobs.api_requires_https = tls.is_some();
    });
    let scheme = if tls.is_some() { "https" } else { "http" };
    let here = format!("{scheme}://{bound}");
    say(
        &mut std::io::stdout(),
        &format!("WeChat, simulated: {here}  (knobs and ledger: {here}/_simulator/)\n"),
        ExitCode::SUCCESS,
    );
    let serving = async {
        match tls {
            Some(tls) => simulator.serve_tls(listener, tls, std::future::pending()).await,
            None => simulator.serve(listener, std::future::pending()).await,
        }
    };
    // Open connections and late answers end with the process.
    tokio::select! {
        served = serving => served.map_err(|cause| cause.to_string()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(|cause| cause.to_string()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))
}

fn fail(message: &str) -> ExitCode {
    say(&mut std::io::stderr(), &format!("simulator: {message}\n"), ExitCode::FAILURE)
}

fn say(to: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    // Nobody is there to be told that nobody listens.
    let _ = to.write_all(text.as_bytes());
    code
}
