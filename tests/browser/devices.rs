//! Devices: their secrets and certificates, and what is asked before they are void.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::time::Duration;
use tests::browser::Gym;
use tests::mqtt::{Connection, Login, TlsDoor};
use tokio::time::timeout;

/// Waiting for what has to happen at once. A guard against hanging.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_new_device_is_given_a_login_and_is_locked_out_only_if_somebody_means_it() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go("/devices").await?;
    browser.choose("What it is", "Reader").await?;
    browser.fill("Code", "entrance").await?;
    browser.press("Add").await?;
    browser.until("the code is taken", "document.querySelector('[name=code]').ariaInvalid").await?;
    browser.choose("What it is", "Reader").await?;
    browser.fill("Code", "gate-2").await?;
    browser.press("Add").await?;
    browser.sees("It is shown only now.").await?;
    let login = login(&browser.text_of("pre.secret").await?)?;
    Connection::open(gym.edge.ports().mqtt, &login).await?.close().await?;
    browser.go("/devices").await?;
    browser.press("Credentials of gate-2").await?;
    browser.press_in("#d-gate-2", "Lock out").await?;
    // The box is not ticked: nothing is sent.
    browser
        .until(
            "the browser asks",
            "!document.querySelector('#d-gate-2 form[action$=revoke] [name=sure]').checkValidity()",
        )
        .await?;
    assert_eq!(browser.path().await?, "/devices");
    browser.tick_in("#d-gate-2", "Really lock it out").await?;
    browser.press_in("#d-gate-2", "Lock out").await?;
    browser.sees("gate-2 is locked out until it is given a new secret.").await?;
    assert!(Connection::open(gym.edge.ports().mqtt, &login).await.is_err());

    browser.press("Credentials of gate-2").await?;
    browser.tick_in("#d-gate-2", "Really replace the secret").await?;
    browser.press_in("#d-gate-2", "New secret").await?;
    browser.sees("The new login of gate-2").await?;
    browser.is_content().await
}

fn login(shown: &str) -> Result<Login> {
    let mut words = shown.split_whitespace().skip(2).step_by(2);
    let user = words.next().context("a user name")?.to_owned();
    let password = words.next().context("a password")?.to_owned();
    Ok(Login { user, password: Some(password) })
}

#[tokio::test]
async fn certificates_are_given_out_and_the_authority_is_replaced_in_two_steps() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go("/devices").await?;
    browser.sees_in("section[aria-labelledby=ca]", "This gateway").await?;
    browser.press("Credentials of door-box").await?;
    browser.press_in("#d-door-box", "Certificate").await?;
    browser.sees("BEGIN CERTIFICATE").await?;
    browser.go("/devices").await?;
    browser.press("Replace the authority").await?;
    browser.tick_in("section[aria-labelledby=ca]", "Really replace it").await?;
    browser.press("Make a new authority").await?;
    browser.sees("There is a new authority.").await?;

    browser.sees_in("section[aria-labelledby=ca]", "The former authority").await
}

#[tokio::test]
async fn a_certificate_is_revoked_by_who_means_it_and_its_connection_ends_at_once() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    let card = "section[aria-labelledby=given]";
    let login = Login { user: "door-box".to_owned(), password: None };

    browser.go("/devices").await?;
    browser.sees_in(card, "No device was given one").await?;
    browser.press("Credentials of door-box").await?;
    browser.press_in("#d-door-box", "Certificate").await?;
    browser.sees("It is shown only now.").await?;
    let identity = browser.text_of("pre.secret").await?;
    let door = TlsDoor::by_certificate(gym.edge.ports().mqtts, &gym.roots, &identity)?;
    let mut connection = door.connect(&login).await?;
    browser.go("/devices").await?;
    browser.sees_in(card, "counts").await?;
    let serial = browser.text_of(&format!("{card} label code")).await?;
    browser.tick_in(card, &serial).await?;
    browser.press_in(card, "Revoke").await?;
    // The box is not ticked: nothing is sent.
    let unsure = format!("!document.querySelector('{card} [name=sure]').checkValidity()");
    browser.until("the browser asks", &unsure).await?;
    browser.is_accessible().await?;
    browser.tick_in(card, "Really revoke the chosen certificate").await?;
    browser.press_in(card, "Revoke").await?;
    browser.sees(&format!("The certificate {serial} of door-box is void.")).await?;
    timeout(LIMIT, connection.ended()).await.context("the connection stays")?;

    assert!(door.connect(&login).await.is_err());
    browser.sees_in(card, "revoked 2").await?;
    assert_eq!(
        browser.value(&format!("document.querySelector('{card} button')")).await?,
        Value::Null
    );
    browser.is_accessible().await?;
    browser.is_content().await
}

#[tokio::test]
async fn accounts_are_made_changed_and_removed_by_a_manager() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go("/settings").await?;
    browser.fill("Name", "Grace").await?;
    browser.press("Add").await?;
    browser.sees("Password of Grace").await?;
    browser.fill("Name", "Grace").await?;
    browser.press("Add").await?;
    browser.sees_in("label:has([name=name]) .problem", "there is an account named Grace").await?;
    browser.press("Change Grace").await?;
    browser.choose("Role", "technician").await?;
    browser.press("Set the role").await?;
    browser.sees("Grace is technician now.").await?;
    browser.fill("Present password", "not this one").await?;
    browser.fill("New password at", "a gym by the river").await?;
    browser.fill("New password again", "a gym by the river").await?;
    browser.press("Change").await?;
    browser.sees_in("label:has([name=present]) .problem", "was not taken").await?;
    browser.fill("Present password", &gym.password).await?;
    browser.fill("New password at", "password12").await?;
    browser.fill("New password again", "password12").await?;
    browser.press("Change").await?;
    browser.sees_in("label:has([name=password]) .problem", "guessed too soon").await?;
    browser.fill("Present password", &gym.password).await?;
    browser.fill("New password at", "a gym by the river").await?;
    browser.fill("New password again", "a gym by the river").await?;
    browser.press("Change").await?;
    browser.sees("Your password is changed.").await?;
    browser.press("Change Grace").await?;
    browser.tick_in("details[open]", "Really remove").await?;
    browser.press("Remove").await?;

    browser.sees("Grace cannot sign in any more.").await
}
