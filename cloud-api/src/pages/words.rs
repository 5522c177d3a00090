//! What went wrong, in words for people.

use crate::http::Error;

/// Of a refusal of the domains.
pub fn of_error(error: &Error) -> String {
    let words = match error.code() {
        "not_found" => "There is no such thing here.",
        "forbidden" => "Your role may not do this.",
        "invalid_credentials" | "validation_failed" => "E-mail address or password is wrong.",
        "second_factor_required" => "Please type the code of your authenticator app, too.",
        "invalid_code" => "The code is wrong, or was used already.",
        "not_staff" => "This page is for staff and admins. As a member, please use the app.",
        "email_not_verified" => "Please confirm your e-mail address first: the letter has a link.",
        "account_locked" => "This account is locked. A new password unlocks it.",
        "account_suspended" => "This account is suspended. Please ask your admin.",
        "account_disabled" => "This account is switched off. Please ask your admin.",
        "too_many_attempts" => "Too many wrong passwords. Please wait some minutes.",
        "rate_limited" => "Too many requests. Please wait a moment.",
        "not_inside" => "They are not inside any more.",
        "branch_unavailable" => "The branch is just starting or stopping. Please try again.",
        "unavailable" => "The database is away for a moment. Please try again.",
        "internal" => "Something went wrong on our side. Please try again.",
        _ => return format!("Not possible: {error}."),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_words_and_a_fault_of_ours_without_its_cause() {
        assert_eq!(of_error(&Error::Conflict("not_inside")), "They are not inside any more.");
        let fault = Error::Internal(anyhow::anyhow!("a password in it"));
        assert_eq!(of_error(&fault), "Something went wrong on our side. Please try again.");
        assert_eq!(of_error(&Error::Conflict("queue_full")), "Not possible: queue_full.");
    }
}
