//! The floor of a function that calls nobody. It also says what a signature costs by itself: it reads a private key
//! from `SIGNING_KEYS`, and makes as many RSA signatures of a token's length as the path of a request says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{Body, Error, Request, Response, service_fn};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

/// Header and claims of an access token, in bytes.
const MESSAGE: [u8; 600] = [b'a'; 600];

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "the environment comes in here and nowhere else")]
async fn main() -> Result<(), Error> {
    let key = key(&std::env::var("SIGNING_KEYS")?)?;
    let answer = async |request: Request| {
        let times = request.uri().path().trim_start_matches('/').parse();
        for _ in 0..times.unwrap_or(0) {
            let mut signature = vec![0; key.public().modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &MESSAGE, &mut signature)
                .map_err(|_| "the key could not sign")?;
        }
        Ok::<_, Error>(Response::new(Body::Empty))
    };
    lambda_http::run(service_fn(answer)).await
}

/// A PKCS#8 key in PEM.
fn key(pem: &str) -> Result<RsaKeyPair, Error> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    RsaKeyPair::from_pkcs8(&STANDARD.decode(base64)?).map_err(|_| "not an RSA key".into())
}
