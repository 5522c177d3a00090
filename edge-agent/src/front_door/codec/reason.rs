//! Reason codes of MQTT 5, and what MQTT 3.1.1 says instead in CONNACK.

/// A reason code of MQTT 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reason(pub u8);

impl Reason {
    pub const SUCCESS: Self = Self(0x00);
    pub const WITH_WILL: Self = Self(0x04);
    pub const NO_SUBSCRIPTION: Self = Self(0x11);
    pub const MALFORMED: Self = Self(0x81);
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    pub const UNSUPPORTED_VERSION: Self = Self(0x84);
    pub const BAD_CLIENT_ID: Self = Self(0x85);
    pub const BAD_LOGIN: Self = Self(0x86);
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    pub const SERVER_BUSY: Self = Self(0x89);
    pub const SHUTTING_DOWN: Self = Self(0x8B);
    pub const BAD_AUTH_METHOD: Self = Self(0x8C);
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    pub const TAKEN_OVER: Self = Self(0x8E);
    pub const BAD_TOPIC: Self = Self(0x90);
    pub const RECEIVE_MAXIMUM: Self = Self(0x93);
    pub const BAD_ALIAS: Self = Self(0x94);
    pub const TOO_LARGE: Self = Self(0x95);
    pub const ADMINISTRATIVE: Self = Self(0x98);
    pub const BAD_PAYLOAD: Self = Self(0x99);
    pub const BAD_QOS: Self = Self(0x9B);
    pub const NO_SHARED: Self = Self(0x9E);
    pub const NO_SUBSCRIPTION_ID: Self = Self(0xA1);

    /// Whether it says that something went wrong.
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The return code of a 3.1.1 CONNACK, which knows only five ways to refuse.
    pub const fn connack_v311(self) -> u8 {
        match self {
            Self::SUCCESS => 0,
            Self::UNSUPPORTED_VERSION => 1,
            Self::BAD_CLIENT_ID => 2,
            Self::BAD_LOGIN => 4,
            Self::NOT_AUTHORIZED => 5,
            _ => 3,
        }
    }

    /// A constant text for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SUCCESS => "normal",
            Self::WITH_WILL => "with_will",
            Self::NO_SUBSCRIPTION => "no_subscription",
            Self::MALFORMED => "malformed",
            Self::PROTOCOL_ERROR => "protocol_error",
            Self::UNSUPPORTED_VERSION => "unsupported_version",
            Self::BAD_CLIENT_ID => "bad_client_id",
            Self::BAD_LOGIN => "bad_login",
            Self::NOT_AUTHORIZED => "not_authorized",
            Self::SERVER_UNAVAILABLE => "server_unavailable",
            Self::SERVER_BUSY => "server_busy",
            Self::SHUTTING_DOWN => "shutting_down",
            Self::BAD_AUTH_METHOD => "bad_auth_method",
            Self::KEEP_ALIVE_TIMEOUT => "keep_alive_timeout",
            Self::TAKEN_OVER => "taken_over",
            Self::BAD_TOPIC => "bad_topic",
            Self::RECEIVE_MAXIMUM => "receive_maximum",
            Self::BAD_ALIAS => "bad_alias",
            Self::TOO_LARGE => "too_large",
            Self::ADMINISTRATIVE => "administrative",
            Self::BAD_PAYLOAD => "bad_payload",
            Self::BAD_QOS => "bad_qos",
            Self::NO_SHARED => "no_shared_subscriptions",
            Self::NO_SUBSCRIPTION_ID => "no_subscription_ids",
            _ => "other",
        }
    }
}
