//! `make bench`.

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mosquitto = tests::bench::mosquitto::Mosquitto::start(folder.path()).await?;
    let login = |n: usize| tests::mqtt::Login { user: format!("bike-{n}"), password: None };
    let logins: Vec<_> = (0..50).map(login).collect();
    let flooded = tests::bench::flood::flood(mosquitto.address, &logins, &login(99), 20000).await?;
    println!("{flooded:?}");
    mosquitto.stop().await
}
