//! The floor of a function that reads and writes tables, and asks WeChat.

use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    floor::serve((floor::dynamodb(&floor::aws().await), floor::wechat()?)).await
}
