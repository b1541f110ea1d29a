//! What the machine can do at most, measured in this process with Vestibule's own code and without HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use secrecy::SecretString;
use vestibule::access_tokens::{Algorithm, Claims, SigningKey, TokenType, Unverified};
use vestibule::clock::Clock;
use vestibule::db::{Change, Database, Statement};
use vestibule::ids::{ChangeId, CustomerId, SessionId, TenantId, UserId};
use vestibule::passwords::{Options, PasswordHash, Passwords, Presence};
use vestibule::sessions::{self, Session, store::Refreshing};
use vestibule::tenants::Family;

use crate::load::as_f64;
use crate::plan::Times;
use crate::process::Meter;
use crate::report::{Row, Spread};
use crate::seed::{self, PASSWORD};

/// Something that is done again and again.
pub trait Work: Send + 'static {
    fn once(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Does it in as many tasks as there are workers, and answers how often a second and for how much processor time.
pub async fn measure<W: Work>(
    what: &str,
    engine: &str,
    times: Times,
    meter: &Meter,
    workers: Vec<W>,
) -> Result<Row> {
    let (over, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load = format!("{} at once", workers.len());
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            let (over, count) = (over.clone(), count.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    worker.once().await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            })
        })
        .collect();
    tokio::time::sleep(times.warm_up).await;
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..times.repeats {
        let (began, cpu, done) = (Instant::now(), meter.cpu(), count.load(Ordering::Relaxed));
        tokio::time::sleep(times.measured).await;
        let done = as_f64(count.load(Ordering::Relaxed) - done);
        rates.push(done / began.elapsed().as_secs_f64());
        costs.push(meter.cpu().saturating_sub(cpu).as_secs_f64() * 1e6 / done);
    }
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await??;
    }
    Ok(Row {
        part: "Limits".to_owned(),
        engine: engine.to_owned(),
        what: what.to_owned(),
        load,
        per_second: Spread::of(rates),
        cpu_micros: Spread::of(costs).median,
        latency: None,
        refused: 0,
        failed: 0,
    })
}

/// Password hashes on all cores.
pub async fn hashes(options: &Options, times: Times) -> Result<Row> {
    let options = Options { deadline: Duration::from_mins(1), ..options.clone() };
    let stored = seed::password_hash(&options)?;
    let passwords = Passwords::start(options.clone())?;
    let workers = (0..2 * options.threads)
        .map(|_| Hash { passwords: passwords.clone(), stored: stored.clone() })
        .collect();
    let row = measure(&format!("Argon2id {}", options.cost), "–", times, &Meter::own(), workers).await?;
    passwords.close().await;
    Ok(row)
}

struct Hash {
    passwords: Passwords,
    stored: PasswordHash,
}

impl Work for Hash {
    async fn once(&mut self) -> Result<()> {
        let (presence, _guard) = Presence::new();
        let ticket = self.passwords.ticket("bench")?;
        let password = SecretString::from(PASSWORD);
        let verdict = self.passwords.verify(ticket, password, Some(self.stored.clone()), &presence).await?;
        if verdict.matches { Ok(()) } else { Err(anyhow!("the password does not match")) }
    }
}

/// A session's next generation, durable: what a refresh writes.
#[derive(Clone)]
pub struct Commit {
    pub db: Database,
    pub tenant: TenantId,
    pub session: Session,
}

impl Commit {
    /// For a seeded session.
    pub fn of(db: &Database, seeded: &seed::Session) -> Self {
        let now = Clock::system().now();
        let session = Session {
            id: SessionId::from_stored(seeded.id.clone()),
            user_id: UserId::from_stored(seeded.person.user.clone()),
            customer_id: CustomerId::from_stored(seeded.person.customer.clone()),
            family: Family::Individual,
            device_id: Some(seed::DEVICE.to_owned()),
            platform: None,
            user_agent: None,
            client_ip: "127.0.0.1".to_owned(),
            last_client_ip: None,
            tenant_key_id: Some(seeded.person.tenant.login.id.clone()),
            generation: 1,
            created_at: now,
            refreshed_at: None,
            idle_expires_at: now.plus_seconds(80_000),
            expires_at: now.plus_seconds(80_000),
            ended_at: None,
            end_reason: None,
        };
        Self { db: db.clone(), tenant: seeded.person.tenant.id.clone(), session }
    }

    /// What moves it on by one.
    pub fn next(&mut self) -> Statement {
        self.session.generation += 1;
        let refreshing = Refreshing {
            session: &self.session,
            networks: "[]",
            change: &ChangeId::random(),
            now: Clock::system().now(),
        };
        sessions::store::refresh(&self.tenant, &refreshing)
    }
}

impl Work for Commit {
    async fn once(&mut self) -> Result<()> {
        let change = Change::new().with(self.next());
        self.db.apply(change).await?;
        Ok(())
    }
}

/// One row by its key.
pub struct KeyRead {
    pub db: Database,
    pub tenant: TenantId,
    pub sessions: Vec<SessionId>,
    pub next: usize,
}

impl Work for KeyRead {
    async fn once(&mut self) -> Result<()> {
        self.next = (self.next + 1) % self.sessions.len();
        let text = "select user_id, generation, idle_expires_at, expires_at, ended_at from sessions \
                    where tenant_id = $1 and id = $2";
        let read = Statement::new(text).bind(&self.tenant).bind(&self.sessions[self.next]);
        let rows = self.db.fetch(read).await?;
        // A read on SQLite never waits, so nothing else would get its turn.
        tokio::task::consume_budget().await;
        if rows.len() == 1 { Ok(()) } else { Err(anyhow!("the session is not there")) }
    }
}

/// An access token signed, or verified.
pub struct Token {
    key: Arc<SigningKey>,
    claims: Claims,
    signed: Option<String>,
}

impl Token {
    /// So many signers, or so many who verify.
    pub fn workers(count: usize, verify: bool) -> Result<Vec<Self>> {
        let key = SigningKey::from_pkcs8(Algorithm::ES256, &SigningKey::generate(Algorithm::ES256)?)?;
        let key = Arc::new(key);
        let worker = || {
            let claims = claims();
            let signed = if verify { Some(key.sign(TokenType::Jwt, &claims)?) } else { None };
            Ok(Self { key: key.clone(), claims, signed })
        };
        (0..count).map(|_| worker()).collect()
    }
}

impl Work for Token {
    async fn once(&mut self) -> Result<()> {
        match &self.signed {
            None => drop(self.key.sign(TokenType::Jwt, &self.claims)?),
            Some(token) => {
                let unverified = Unverified::parse(token).ok_or_else(|| anyhow!("no token"))?;
                unverified.verify_anew(&self.key).ok_or_else(|| anyhow!("the signature does not hold"))?;
            }
        }
        tokio::task::consume_budget().await;
        Ok(())
    }
}

/// Like those of a login here.
fn claims() -> Claims {
    let id = "00000000-0000-4000-8000-000000000000";
    Claims {
        iss: "http://127.0.0.1:8080/t/bench".to_owned(),
        aud: "http://127.0.0.1:8080/t/bench".to_owned(),
        sub: id.to_owned(),
        exp: 2_000_000_000,
        iat: 1_900_000_000,
        tenant_id: id.to_owned(),
        customer_id: id.to_owned(),
        user_id: id.to_owned(),
        user_type: "CONSUMER".to_owned(),
        roles: vec!["USER".to_owned()],
        jti: id.to_owned(),
        sid: id.to_owned(),
        auth_time: 1_900_000_000,
        acr: "aal1".to_owned(),
        amr: vec!["pwd".to_owned()],
        client_id: id.to_owned(),
        metadata: None,
    }
}
