//! What we write to people. Every letter has a text and an HTML part that say the same.

use super::Rendered;
use askama::Template;
use serde::{Deserialize, Serialize};

/// A letter and what stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// After registering: whose address it is.
    VerifyEmail { name: String, link: String },
    /// Somebody forgot a password.
    ResetPassword { link: String },
    /// The password is another one now.
    PasswordChanged,
    /// To the new address, before it is used.
    ConfirmNewEmail { link: String },
    /// To the old address, when another one is used.
    EmailChanged,
    /// Somebody logged in from a device that was not seen before.
    NewDevice { device: String, when: String },
    /// A refresh token was used twice: somebody may have copied it.
    TokenReused,
    /// The second factor was switched on or off.
    SecondFactorChanged { is_on: bool },
    /// The archive of all data can be fetched.
    ExportReady,
    /// The account is to be erased.
    DeletionAsked { when: String },
    /// It is.
    AccountErased,
    /// The account was used unusually.
    AccountLocked,
    /// To who works there: nothing comes from a branch any more.
    BranchSilent { branch: String, since: String },
    /// To who works there: something comes again.
    BranchHeard { branch: String, since: String },
}

/// What the templates show.
#[derive(Debug, Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    subject: &'a str,
    paragraphs: &'a [String],
    link: Option<(&'a str, &'a str)>,
}

#[derive(Debug, Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    paragraphs: &'a [String],
    link: Option<(&'a str, &'a str)>,
}

impl Letter {
    /// The whole letter to somebody.
    pub fn render(&self, to: String) -> anyhow::Result<Rendered> {
        let (subject, paragraphs, link) = (self.subject(), self.paragraphs(), self.link());
        let html = Html { subject, paragraphs: &paragraphs, link }.render()?;
        let text = Text { paragraphs: &paragraphs, link }.render()?;
        Ok(Rendered { to, subject: subject.to_owned(), text, html })
    }

    fn subject(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "Confirm your e-mail address",
            Self::ResetPassword { .. } => "Choose a new password",
            Self::PasswordChanged => "Your password was changed",
            Self::ConfirmNewEmail { .. } => "Confirm your new e-mail address",
            Self::EmailChanged => "Your e-mail address was changed",
            Self::NewDevice { .. } => "A new device logged in",
            Self::TokenReused => "A device was logged out",
            Self::SecondFactorChanged { is_on: true } => "Two-step login is on",
            Self::SecondFactorChanged { is_on: false } => "Two-step login is off",
            Self::ExportReady => "Your data is ready",
            Self::DeletionAsked { .. } => "Your account will be deleted",
            Self::AccountErased => "Your account was deleted",
            Self::AccountLocked => "Your account was locked",
            Self::BranchSilent { .. } => "A branch is not heard any more",
            Self::BranchHeard { .. } => "A branch is heard again",
        }
    }

    fn paragraphs(&self) -> Vec<String> {
        let plain = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        match self {
            Self::VerifyEmail { name, .. } => plain(&[&format!("Welcome, {name}."), CONFIRM]),
            Self::ResetPassword { .. } => {
                plain(&["Somebody, hopefully you, asked for a new password.", RESET])
            }
            Self::PasswordChanged => {
                plain(&["Your password was changed, and all devices were logged out.", NOT_YOU])
            }
            Self::ConfirmNewEmail { .. } => {
                plain(&["This address is to be the new one of your account.", CONFIRM])
            }
            Self::EmailChanged => {
                plain(&["Your account has another e-mail address from now on.", NOT_YOU])
            }
            Self::NewDevice { device, when } => {
                plain(&[&format!("{device} logged in to your account at {when}."), NOT_YOU])
            }
            Self::TokenReused => plain(&[
                "The login of one of your devices was used twice, so it was ended.",
                NOT_YOU,
            ]),
            Self::SecondFactorChanged { is_on: true } => {
                plain(&["From now on, logging in needs a code of your app.", NOT_YOU])
            }
            Self::SecondFactorChanged { is_on: false } => {
                plain(&["From now on, logging in needs the password only.", NOT_YOU])
            }
            Self::ExportReady => plain(&[READY, NOT_YOU]),
            Self::DeletionAsked { when } => plain(&[
                &format!("Your account and all that belongs to it will be erased on {when}."),
                "Until then you can keep it: log in and restore it.",
            ]),
            Self::AccountErased => {
                plain(&["Your account and all that belonged to it were erased. Good-bye."])
            }
            Self::BranchSilent { branch, since } => plain(&[
                &format!("Nothing has come from {branch} since {since}."),
                "Doors and machines there go on by themselves, and nothing is lost: what happens \
                 there comes when the branch is heard again. Please look after its computer and \
                 its line to the internet.",
            ]),
            Self::BranchHeard { branch, since } => plain(&[&format!(
                "{branch} is heard again. It was silent since {since}; what happened there comes now."
            )]),
            Self::AccountLocked => plain(&[LOCKED, "To unlock it, ask for a new password."]),
        }
    }

    /// What it does, and where it leads.
    fn link(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::VerifyEmail { link, .. } | Self::ConfirmNewEmail { link } => {
                Some(("Confirm the address", link))
            }
            Self::ResetPassword { link } => Some(("Choose a new password", link)),
            _ => None,
        }
    }
}

const CONFIRM: &str = "Please confirm this address. The link is good for one day.";
const RESET: &str = "The link is good for one hour. If it was not you, nothing needs to be done.";
const READY: &str = "The archive you asked for can be fetched in the app for some days.";
const LOCKED: &str = "Your account was used in a way that does not look like you, so it was locked \
                      and all devices were logged out.";
const NOT_YOU: &str = "If this was not you, choose a new password at once and tell your gym.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_parts_say_the_same_and_html_is_escaped() {
        let link = "https://gym.example/verify?token=a&b=c".to_owned();
        let name = "<script>alert(1)</script>".to_owned();

        let letter =
            Letter::VerifyEmail { name, link }.render("ada@example.com".to_owned()).unwrap();

        assert!(letter.text.contains("https://gym.example/verify?token=a&b=c"), "{}", letter.text);
        assert!(letter.text.contains("one day") && letter.html.contains("one day"));
        assert!(!letter.html.contains("<script>"), "{}", letter.html);
        assert!(letter.html.contains("token=a&#38;b=c"), "{}", letter.html);
    }
}
