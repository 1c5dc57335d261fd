-- What the log says of each token: written in the same statement as its events.
create table tokens (
    jti uuid not null,
    sub text,
    name text,
    description text,
    reason text,
    email text,
    full_name text,
    aud text[] not null,
    kid text not null,
    is_admin boolean not null,
    teams text[],
    namespaces text[] not null,
    permissions text[] not null,
    server_id text,
    restrictions jsonb not null,
    elevated text[] not null,
    path text not null,
    out_of_band boolean not null,
    issued_by text,
    policy_version integer not null,
    issued_pos bigint not null,
    iat timestamptz not null,
    exp timestamptz not null,
    claims_digest bytea,
    revoked_pos bigint,
    revoked_at timestamptz,
    effective_from timestamptz,
    revocation_reason text,
    revocation_note text,
    revoked_by text,
    suspended_pos bigint,
    suspended_at timestamptz,
    constraint tokens_pkey primary key (jti),
    constraint tokens_every_team_needs_admin check (teams is not null or is_admin),
    constraint tokens_exp_after_iat check (exp > iat),
    constraint tokens_times_are_finite check (
        isfinite(iat) and isfinite(exp) and isfinite(revoked_at) and isfinite(effective_from) and isfinite(suspended_at)),
    constraint tokens_revocation_whole check (
        (revoked_pos is null) = (revoked_at is null) and (revoked_pos is null) = (revocation_reason is null)),
    constraint tokens_suspension_whole check ((suspended_pos is null) = (suspended_at is null))
);

create unique index tokens_issued_pos_idx on tokens (issued_pos);
create index tokens_sub_idx on tokens (sub, issued_pos);
create index tokens_name_idx on tokens (name, issued_pos) where name is not null;
create index tokens_holder_idx on tokens (sub, name, exp)
    where name is not null and (revoked_pos is null or effective_from is not null);
create index tokens_path_idx on tokens (path, issued_pos);
create index tokens_exp_idx on tokens (exp);
create index tokens_revoked_pos_idx on tokens (revoked_pos) where revoked_pos is not null;

comment on table tokens is 'Inline projection: one row a token, equal at any time to the fold of its events';
comment on column tokens.jti is 'The identifier of the token';
comment on column tokens.sub is 'Whom it speaks for; null once erased';
comment on column tokens.name is 'Its name, unique among the active tokens of its subject; null once erased';
comment on column tokens.description is 'What it is for; null once erased';
comment on column tokens.reason is 'Why it was issued; null once erased';
comment on column tokens.email is 'The address of its subject; null once erased';
comment on column tokens.full_name is 'The name of its subject; null once erased';
comment on column tokens.aud is 'Whom it is meant for';
comment on column tokens.kid is 'The key that signs it';
comment on column tokens.is_admin is 'Whether it claims an administrator';
comment on column tokens.teams is 'The teams it reaches; null is every team, an empty list only what is public';
comment on column tokens.namespaces is 'The namespaces it reaches';
comment on column tokens.permissions is 'What it may be used for; empty is everything its subject may do';
comment on column tokens.server_id is 'The one virtual server it is bound to, if any';
comment on column tokens.restrictions is 'ip_restrictions, time_restrictions and usage_limits, as in the claim scopes';
comment on column tokens.elevated is 'Which of its claims were elevated: admin, teams, permissions';
comment on column tokens.path is 'The door it came through: api, cli-dev, cli-admin or system';
comment on column tokens.out_of_band is 'Whether it came past the controls of the API';
comment on column tokens.issued_by is 'Who had it issued, for people to read; null once erased';
comment on column tokens.policy_version is 'The version of the policy that allowed it';
comment on column tokens.issued_pos is 'The position of the event that issued it';
comment on column tokens.iat is 'When it was issued, in whole seconds';
comment on column tokens.exp is 'The first instant at which it is expired';
comment on column tokens.claims_digest is 'SHA-256 of the header.payload that was signed; null once erased';
comment on column tokens.revoked_pos is 'The position of the event that revoked it, if any';
comment on column tokens.revoked_at is 'When the revocation was decided';
comment on column tokens.effective_from is 'From when on the revocation holds; null is at once, whatever any clock says';
comment on column tokens.revocation_reason is 'Why it was revoked, in a word of RFC 5280';
comment on column tokens.revocation_note is 'Why it was revoked, in the words of a person; null once erased';
comment on column tokens.revoked_by is 'Who revoked it, for people to read; null once erased';
comment on column tokens.suspended_pos is 'The position of the event that suspended it, while it is suspended';
comment on column tokens.suspended_at is 'When the suspension was decided';
