//! Members of the demo gym: people with cards, with cards that prove themselves, with phones, and those whom the
//! door refuses. Everything that is needed to play them is printed.

use crate::domains::branches::{self, Branch};
use crate::domains::edges::{self, QrOrder};
use crate::domains::members::{
    self, AccessWindow, CredentialKind, Day, NewMember, Proof, Reason, Source, Terms, TimeOfDay,
    Uid,
};
use crate::ids::MemberId;
use anyhow::Context;
use serde::Serialize;
use sqlx::PgConnection;
use time::{Date, Duration, OffsetDateTime};

/// A member, and everything needed to play them.
#[derive(Serialize)]
pub struct SeededMember {
    id: MemberId,
    pub member_no: i64,
    pub display_name: String,
    /// What the door says to them.
    pub expected: &'static str,
    credential: CredentialKind,
    /// Of cards.
    card_uid: Option<String>,
    /// Of phones: P-256, hexadecimal.
    phone_private_key: Option<String>,
    /// Each opens once, for 20 minutes, at a door whose edge ran before they were made.
    qr_codes: Vec<String>,
}

/// What a member of the demo is like.
struct Part {
    expected: &'static str,
    credential: CredentialKind,
}

const CODES_EACH: usize = 5;

/// Makes them all.
pub async fn make(
    db: &mut PgConnection,
    branch: &Branch,
    now: OffsetDateTime,
) -> anyhow::Result<Vec<SeededMember>> {
    let today = branches::today(db, Some(branch.id), now).await?;
    let mut made = Vec::new();
    for (name, part) in NAMES.iter().zip(parts()) {
        made.push(make_one(db, branch, name, &part, (today, now)).await?);
    }
    Ok(made)
}

/// One for each name.
fn parts() -> impl Iterator<Item = Part> {
    let part = |expected, credential| Part { expected, credential };
    let refused = ["blocked", "expired", "frozen", "outside_hours"];
    let refused = refused.into_iter().map(move |why| part(why, CredentialKind::NfcUid));
    let granted =
        move |kind, count| std::iter::repeat_n(kind, count).map(move |k| part("granted", k));
    granted(CredentialKind::NfcUid, 24)
        .chain(granted(CredentialKind::Sun, 6))
        .chain(granted(CredentialKind::Phone, 6))
        .chain(refused)
}

async fn make_one(
    db: &mut PgConnection,
    branch: &Branch,
    name: &str,
    part: &Part,
    (today, now): (Date, OffsetDateTime),
) -> anyhow::Result<SeededMember> {
    let organization = branch.organization_id;
    let (reference, email, source) = (None, None, Source::Demo);
    let new = NewMember { display_name: name.parse()?, reference, email, source };
    let member = members::create(db, organization, &new, now).await?;
    let terms = terms(part, today);
    let membership =
        members::add_membership(db, organization, member.id, &terms, source, now).await?;
    let reason: Reason = "demo".parse()?;
    match part.expected {
        "blocked" => {
            members::set_blocked(db, organization, member.id, Some(&reason), now).await?;
        }
        "frozen" => {
            members::set_frozen(db, organization, membership.id, Some(&reason), now).await?;
        }
        _ => {}
    }
    let invented = Invented::new(part.credential)?;
    members::add_credential(db, organization, member.id, &invented.proof, None, now).await?;
    let member_no = member.member_no.unsigned_abs();
    let order = QrOrder { member_no, site_no: u16::try_from(branch.site_no)?, ttl_s: 1_200 };
    let mut qr_codes = Vec::new();
    for _ in 0..CODES_EACH {
        qr_codes.push(edges::issue_qr(db, &order, now).await?);
    }
    Ok(SeededMember {
        id: member.id,
        member_no: member.member_no,
        display_name: member.display_name,
        expected: part.expected,
        credential: part.credential,
        card_uid: invented.card_uid,
        phone_private_key: invented.phone_private_key,
        qr_codes,
    })
}

fn terms(part: &Part, today: Date) -> Terms {
    let valid_until = (part.expected == "expired").then(|| today - Duration::days(30));
    let windows =
        if part.expected == "outside_hours" { vec![no_day_but_one(today)] } else { vec![] };
    Terms { branches: None, valid_from: today - Duration::days(365), valid_until, windows }
}

/// Three days from now, so that it is outside for the whole demo.
fn no_day_but_one(today: Date) -> AccessWindow {
    const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
    let day = WEEK[(usize::from(today.weekday().number_days_from_monday()) + 3) % WEEK.len()];
    AccessWindow { days: vec![day], from: TimeOfDay::default(), until: TimeOfDay::default() }
}

/// A card or phone that there is only in the demo.
struct Invented {
    proof: Proof,
    card_uid: Option<String>,
    phone_private_key: Option<String>,
}

impl Invented {
    fn new(kind: CredentialKind) -> anyhow::Result<Self> {
        if kind == CredentialKind::Phone {
            return Self::phone();
        }
        // NXP's numbers have 7 bytes and begin with 04.
        let mut uid = [0; 7];
        getrandom::fill(&mut uid).context("no random numbers")?;
        uid[0] = 0x04;
        let text = hex::encode(uid);
        let number: Uid = text.parse()?;
        let proof =
            if kind == CredentialKind::Sun { Proof::Sun(number) } else { Proof::NfcUid(number) };
        Ok(Self { proof, card_uid: Some(text), phone_private_key: None })
    }

    fn phone() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).context("no random numbers")?;
        // All but one in 2^32 numbers are keys.
        let key = p256::SecretKey::from_slice(&secret).context("an unlucky number")?;
        let public = p256::EncodedPoint::from(p256::AffinePoint::from(key.public_key()));
        let proof = Proof::Phone(hex::encode(public.as_bytes()).parse()?);
        Ok(Self { proof, card_uid: None, phone_private_key: Some(hex::encode(secret)) })
    }
}

const NAMES: [&str; 40] = [
    "Ada L.",
    "Alan T.",
    "Barbara L.",
    "Blaise P.",
    "Carl G.",
    "Charles B.",
    "Claude S.",
    "Donald K.",
    "Dorothy V.",
    "Edsger D.",
    "Emmy N.",
    "Erwin S.",
    "Euclid A.",
    "Evelyn B.",
    "Frances A.",
    "Grace H.",
    "Grete H.",
    "Hedy L.",
    "Henri P.",
    "Ida R.",
    "Jean B.",
    "Joan C.",
    "John N.",
    "Karen S.",
    "Katherine J.",
    "Kathleen A.",
    "Leonhard E.",
    "Lise M.",
    "Margaret H.",
    "Maria A.",
    "Mary S.",
    "Niklaus W.",
    "Olga L.",
    "Radia P.",
    "Rosalind F.",
    "Sofia K.",
    "Tim B.",
    "Tony H.",
    "Vera R.",
    "Zaha H.",
];
