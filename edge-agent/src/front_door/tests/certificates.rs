//! Certificates of devices that are revoked.

use super::Branch;
use super::client::{Client, Login};
use super::tls::{client, connect};
use crate::front_door::tls::{BranchCa, Certified, Tls};
use crate::ops::clock::Clock;

fn serial(branch: &Branch, code: &str) -> String {
    let listed = branch.tls.certificates();
    listed.into_iter().find(|given| given.code == code).unwrap().serial
}

/// Logs in by a certificate; the code of CONNACK, or none if there was no connection.
async fn log_in(branch: &Branch, identity: &Certified) -> (Option<u8>, Option<Client>) {
    let connector = client(&branch.ca, Some(identity));
    let Ok(stream) = connect(branch.encrypted, &connector).await else { return (None, None) };
    let mut device = Client::over(stream, 5);
    let login = Login { user: None, password: None, ..Login::new(5, "", "") };
    device.send(&login.packet()).await;
    let answered = device.receive().await;
    (answered.map(|packet| packet.1[1]), Some(device))
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_whoever_is_connected_by_it_is_not_any_more() {
    let branch = Branch::open().await;
    let (stolen, other) =
        (branch.tls.certify("bike").unwrap(), branch.tls.certify("rack").unwrap());
    let (first, connected) = log_in(&branch, &stolen).await;
    let (_, untouched) = log_in(&branch, &other).await;

    branch.tls.revoke(&serial(&branch, "bike")).unwrap();
    let mut connected = connected.unwrap();
    let told = connected.receive().await.is_some_and(|(first, _)| first == 0xe0);
    let told = told && connected.is_closed().await;
    let (again, _) = log_in(&branch, &stolen).await;
    let renewed = branch.tls.certify("bike").unwrap();
    let (by_new, _) = log_in(&branch, &renewed).await;

    assert_eq!((first, told, again, by_new), (Some(0), true, None, Some(0)));
    untouched.unwrap().ping().await;
    branch.close().await;
}

#[tokio::test]
async fn a_session_of_tls_from_before_its_certificate_was_revoked_does_not_help() {
    let branch = Branch::open().await;
    let stolen = branch.tls.certify("bike").unwrap();
    // One client configuration keeps its tickets.
    let connector = client(&branch.ca, Some(&stolen));
    let login = Login { user: None, password: None, ..Login::new(5, "", "") };
    let mut device = Client::over(connect(branch.encrypted, &connector).await.unwrap(), 5);
    device.send(&login.packet()).await;
    assert_eq!(device.receive().await.unwrap().1[1], 0);
    device.ping().await;
    drop(device);

    branch.tls.revoke(&serial(&branch, "bike")).unwrap();
    let answer = match connect(branch.encrypted, &connector).await {
        Err(_) => None,
        Ok(stream) => {
            let mut device = Client::over(stream, 5);
            device.send(&login.packet()).await;
            device.receive().await.map(|packet| packet.1[1])
        }
    };

    assert_ne!(answer, Some(0));
    branch.close().await;
}

#[test]
fn what_was_revoked_stays_so_over_a_restart_and_in_a_copy_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let open = |folder: &std::path::Path| {
        let ca = BranchCa::open(folder, clock.latest_ms()).unwrap();
        Tls::open(ca, Vec::new(), clock.clone()).unwrap()
    };
    let tls = open(folder.path());
    tls.certify("bike").unwrap();
    tls.certify("bike").unwrap();
    let [new, old] = tls.certificates().try_into().unwrap();
    tls.revoke(&old.serial.to_uppercase()).unwrap();
    drop(tls);

    let listed = open(folder.path()).certificates();
    let twice = open(folder.path()).revoke(&old.serial).unwrap_err();
    let unknown = open(folder.path()).revoke("1234").unwrap_err();

    let revoked: Vec<_> = listed.iter().map(|given| given.revoked_ms.is_some()).collect();
    assert_eq!((listed[0].serial.as_str(), revoked), (new.serial.as_str(), vec![false, true]));
    assert!(twice.to_string().contains("revoked already"), "{twice}");
    assert!(unknown.to_string().contains("device list"), "{unknown}");
}
