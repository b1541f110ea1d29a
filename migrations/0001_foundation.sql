-- The foundation: tenants and their keys, customers and users, sessions, throttles, events.
--
-- Portable SQL for both engines; src/db/migrate.rs says which words are substituted. Instants are
-- Unix milliseconds. Every tenant's table has tenant_id first in its primary key and in every
-- foreign key, so that no row can point into another tenant. Other indexes begin with what they are for
-- and have tenant_id second: one that began with tenant_id would look to PostgreSQL as good as the
-- primary key wherever most tenants are small, and would read all of a large one.

-- What this database is: a mark that it belongs to the demo, for one.
create table installation (
    name text not null primary key,
    value text not null
) /*table*/;

create table tenants (
    id text not null primary key,
    slug text not null unique,
    name text not null,
    status text not null check (status in ('active', 'suspended', 'deleted')),
    settings text not null,
    -- The key that signs now, and all that still count, as a JSON array. A signing key that is not
    -- listed here does not count, whatever a node holds in memory.
    signing_kid text,
    valid_kids text not null,
    -- Sessions opened at or before this instant have ended, for this reason.
    sessions_not_before bigint,
    sessions_end_reason text,
    created_at bigint not null,
    updated_at bigint not null
) /*table*/;

create table tenant_keys (
    tenant_id text not null references tenants (id),
    id text not null,
    -- What the tenant sends as tenantKey. Public as the app it ships in; unique everywhere, because
    -- HTTP Basic names a key and no tenant.
    tenant_key text not null unique,
    secret_digest bytea not null,
    purpose text not null check (purpose in ('login', 'backend')),
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint,
    primary key (tenant_id, id)
) /*table*/;

-- Browser origins a tenant's web apps call from (CORS).
create table tenant_origins (
    tenant_id text not null references tenants (id),
    origin text not null,
    primary key (tenant_id, origin)
) /*table*/;
create index tenant_origins_by_origin on tenant_origins (origin);

create table signing_keys (
    tenant_id text not null references tenants (id),
    kid text not null,
    algorithm text not null check (algorithm in ('ES256', 'EdDSA', 'PS256', 'RS256')),
    -- PKCS #8, encrypted under the master key for this tenant and kid.
    private_key text not null,
    public_jwk text not null,
    created_at bigint not null,
    primary key (tenant_id, kid)
) /*table*/;

create table customers (
    tenant_id text not null references tenants (id),
    id text not null,
    kind text not null check (kind in ('individual', 'organization')),
    -- One organization per tenant is the house: its users are the tenant's staff.
    house boolean not null,
    status text not null check (status in
        ('active', 'pending_activation', 'pending_verification', 'registration_completed', 'suspended', 'closed')),
    name text not null,
    -- As the tenant's: whoever logs in for this customer.
    sessions_not_before bigint,
    sessions_end_reason text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id)
) /*table*/;
create unique index customers_house on customers (tenant_id) where house;

create table users (
    tenant_id text not null,
    id text not null,
    customer_id text not null,
    kind text not null check (kind in ('customer', 'staff')),
    status text not null check (status in ('active', 'suspended', 'closed')),
    -- A PHC string, or null for a user without a password.
    password_hash text,
    password_changed_at bigint,
    -- One more with every new password, and not with a new hash of the same one.
    password_version bigint not null default 1,
    -- Names of roles, as a JSON array.
    roles text not null,
    email text,
    first_name text,
    last_name text,
    full_name text,
    gender text,
    -- [{ "phoneType", "encoding", "number" }]
    phones text not null,
    last_login_at bigint,
    sessions_not_before bigint,
    sessions_end_reason text,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, customer_id) references customers (tenant_id, id)
) /*busy table*/;
create index users_by_customer on users (customer_id, tenant_id, id);

-- The names a user logs in with, canonical: the username and the e-mail, unique within the tenant.
create table login_names (
    tenant_id text not null,
    name text not null,
    user_id text not null,
    kind text not null check (kind in ('username', 'email')),
    primary key (tenant_id, name),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
) /*table*/;
create index login_names_by_user on login_names (user_id, tenant_id);

create table devices (
    tenant_id text not null,
    user_id text not null,
    device_id text not null,
    platform text,
    first_seen_at bigint not null,
    last_seen_at bigint not null,
    primary key (tenant_id, user_id, device_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
) /*busy table*/;

create table sessions (
    tenant_id text not null,
    id text not null,
    user_id text not null,
    customer_id text not null,
    family text not null check (family in ('individual', 'organization', 'admin')),
    device_id text,
    platform text,
    user_agent text,
    -- The decided address, why it was chosen, and what the caller said of itself.
    client_ip text not null,
    client_ip_reason text not null,
    forwarded_for text,
    source text,
    -- What opened it.
    tenant_key_id text,
    signing_kid text not null,
    amr text not null,
    created_at bigint not null,
    refreshed_at bigint,
    idle_expires_at bigint not null,
    expires_at bigint not null,
    -- The refresh token is computed from these and a key that is not here (design.md §1).
    generation bigint not null,
    salt bytea not null,
    refresh_key_id text not null,
    ended_at bigint,
    end_reason text,
    change_id text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, user_id) references users (tenant_id, id),
    foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    foreign key (tenant_id, tenant_key_id) references tenant_keys (tenant_id, id),
    foreign key (tenant_id, signing_kid) references signing_keys (tenant_id, kid)
) /*busy table*/;
create index sessions_by_user on sessions (user_id, tenant_id, id);

-- Failures in a row of one user, or of one name that nobody has (then a keyed digest of it).
create table throttles (
    tenant_id text not null references tenants (id),
    subject text not null,
    failures bigint not null,
    locked_until bigint,
    updated_at bigint not null,
    change_id text not null,
    primary key (tenant_id, subject)
) /*busy table*/;

-- Attempts that were reserved and not yet concluded.
create table attempts (
    tenant_id text not null,
    subject text not null,
    id text not null,
    reserved_at bigint not null,
    primary key (tenant_id, subject, id),
    foreign key (tenant_id, subject) references throttles (tenant_id, subject)
) /*busy table*/;

-- Who did what to whom, why, when and from where, written in the same change as the deed.
create table events (
    tenant_id text not null references tenants (id),
    id text not null,
    -- Given by the sealer: gapless within the tenant, null until then.
    position bigint,
    name text not null,
    outcome text not null check (outcome in ('success', 'failure')),
    occurred_at bigint not null,
    actor_kind text not null check (actor_kind in ('user', 'staff', 'backend', 'operator', 'system', 'unknown')),
    actor_id text,
    user_id text,
    session_id text,
    reason text,
    request_id text,
    -- A JSON object of what else belongs to this kind of event; nothing personal.
    details text not null,
    -- A JSON object (address, agent, names): what goes when a person is erased. The salt keeps its
    -- digest, which is what is sealed, from being guessed.
    personal text,
    salt bytea not null,
    primary key (tenant_id, id)
) /*table*/;
create index events_unsealed on events (tenant_id, id) where position is null;
create index events_by_session on events (session_id, tenant_id, id);

-- Vestibule's own events stand under the system tenant. It has no keys, users or issuer.
insert into tenants (id, slug, name, status, settings, signing_kid, valid_kids, created_at, updated_at)
values ('00000000-0000-0000-0000-000000000000', 'system', 'Vestibule', 'active', '{}', null, '[]', 0, 0);
