//! A device that logs in by its certificate, until staff revoke it on the page.

use protocol::sync::entry::DeviceKind;
use std::time::Duration;
use tests::edge::Edge;
use tests::mqtt::{Connection, Login, TlsDoor};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// Waiting for what has to happen at once. A guard against hanging.
const LIMIT: Duration = Duration::from_secs(20);

/// Without a secret.
fn login(code: &str) -> Login {
    Login { user: code.to_owned(), password: None }
}

/// Gives a device a certificate, and connects by it.
async fn connect(edge: &Edge, code: &str) -> (TlsDoor, Connection<TlsStream<TcpStream>>) {
    let (ca, identity) = (edge.ca().await.unwrap(), edge.certify(code).await.unwrap());
    let door = TlsDoor::by_certificate(edge.ports().mqtts, &ca, &identity).unwrap();
    let connection = door.connect(&login(code)).await.unwrap();
    (door, connection)
}

/// The serial number that the page offers to revoke for a device.
fn serial(page: &str, code: &str) -> String {
    let of_device = page.split("<li>").filter(|row| row.contains(&format!("<code>{code}</code>")));
    let mut offered = of_device.filter_map(|row| row.split("name=\"serial\" value=\"").nth(1));
    offered.next().unwrap().split('"').next().unwrap().to_owned()
}

/// Whether what it says is still taken.
async fn is_heard(connection: &mut Connection<TlsStream<TcpStream>>, code: &str) -> bool {
    let topic = format!("gymwire/v1/machines/{code}/telemetry");
    connection.queue(&topic, br#"{"seq":1,"boot":1,"uptime_ms":5,"power_w":100}"#, 1, false);
    connection.flush().await.is_ok() && connection.acks().await.is_ok()
}

#[tokio::test]
async fn who_is_connected_by_a_certificate_that_staff_revoke_is_cut_off_and_never_let_in_again() {
    let mut edge = Edge::new().unwrap();
    let codes = ["bike", "rack"].map(str::to_owned);
    edge.add_devices(DeviceKind::Machine, &codes).await.unwrap();
    edge.start().await.unwrap();
    let password = edge.add_staff("Tess", "technician").await.unwrap();
    let mut page = edge.staff_page("Tess", &password).await.unwrap();
    let (stolen, mut connected) = connect(&edge, "bike").await;
    let (_, mut untouched) = connect(&edge, "rack").await;
    let listed = page.open("/devices", "text/html").await.unwrap().text().await.unwrap();

    let serial = serial(&listed, "bike");
    let fields = [("serial", serial.as_str()), ("sure", "yes")];
    page.submit("/devices", "/devices/certificate-revoke", &fields).await.unwrap();
    timeout(LIMIT, connected.ended()).await.expect("the connection stays");
    let again = stolen.connect(&login("bike")).await;
    let is_other_heard = is_heard(&mut untouched, "rack").await;
    edge.stop().await.unwrap();
    edge.start().await.unwrap();
    let after_a_restart = stolen.connect(&login("bike")).await;
    let (_, mut renewed) = connect(&edge, "bike").await;

    assert!(again.is_err() && after_a_restart.is_err());
    assert!(is_other_heard && is_heard(&mut renewed, "bike").await);
    edge.stop().await.unwrap();
}
