//! The floor of a function that reads and writes tables, and has KMS sign.

use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let aws = floor::aws().await;
    floor::serve((floor::dynamodb(&aws), floor::kms(&aws))).await
}
