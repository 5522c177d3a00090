//! CONNECT and CONNACK, and the ways in which a connection ends.

use super::transport::Stream;
use crate::clock::{Clock, Moment};
use crate::config::AgentConfig;
use crate::queue::Refused;
use crate::status;
use futures_util::{SinkExt, StreamExt};
use rumqttc::v5::mqttbytes::v5::{
    Codec, Connect, ConnectReturnCode, DisconnectReasonCode, LastWill, Login, Packet,
};
use rumqttc::v5::mqttbytes::{Error as CodecError, QoS};
use std::time::Duration;
use tokio_util::codec::Framed;

/// Acks, decisions, orders, errors: nothing of what the agent sends is long.
const MAX_INCOMING: u32 = 256 * 1024;

pub(super) type Network = Framed<Box<dyn Stream>, Codec>;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(
        "the agent refused the login of this bridge ({0:?}); check agent.username and agent.password_file"
    )]
    Login(ConnectReturnCode),
    #[error("the agent did not answer in time ({0})")]
    Silent(&'static str),
    #[error("the agent closed the connection")]
    Closed,
    #[error("the agent closed the connection ({0:?})")]
    Disconnected(DisconnectReasonCode),
    #[error("another program logged in with the code of this bridge")]
    TakenOver,
    #[error("the agent sent something unexpected: {0}")]
    Unexpected(&'static str),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Queue(#[from] Refused),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What the agent demands of us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub receive_max: u16,
    pub keep_alive: Duration,
    /// When the login was sent.
    pub asked_at: Moment,
}

/// CONNECT and CONNACK. The last will says that the bridge is gone.
pub(super) async fn login(
    stream: Box<dyn Stream>,
    agent: &AgentConfig,
    clock: &Clock,
) -> Result<(Network, Terms), Ended> {
    let codec = Codec { max_incoming_size: Some(MAX_INCOMING), max_outgoing_size: None };
    let mut network = Framed::new(stream, codec);
    let connect = Connect {
        keep_alive: agent.keep_alive_s,
        client_id: agent.username.to_string(),
        clean_start: true,
        properties: None,
    };
    let (topic, payload) = status::offline(&agent.username);
    let will = LastWill::new(topic, payload, QoS::AtLeastOnce, true, None);
    let login = Login::new(agent.username.as_str(), agent.password()?);
    let asked_at = clock.now();
    network.send(Packet::Connect(connect, Some(will), Some(login))).await?;
    let connack = match network.next().await.ok_or(Ended::Closed)?? {
        Packet::ConnAck(connack) if connack.code == ConnectReturnCode::Success => connack,
        Packet::ConnAck(connack) => return Err(Ended::Login(connack.code)),
        _ => return Err(Ended::Unexpected("no CONNACK")),
    };
    let properties = connack.properties.as_ref();
    let keep_alive_s = properties.and_then(|p| p.server_keep_alive).unwrap_or(agent.keep_alive_s);
    network.codec_mut().max_outgoing_size = properties.and_then(|p| p.max_packet_size);
    let terms = Terms {
        receive_max: properties.and_then(|p| p.receive_max).unwrap_or(u16::MAX),
        keep_alive: Duration::from_secs(u64::from(keep_alive_s.max(1))),
        asked_at,
    };
    Ok((network, terms))
}
