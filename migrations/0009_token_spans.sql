-- Between which times the tokens of 1,024 neighbouring positions lie: a listing by time begins at the first span that has any.
create table token_spans (
    span bigint not null,
    iat_min timestamptz not null,
    iat_max timestamptz not null,
    exp_min timestamptz not null,
    exp_max timestamptz not null,
    constraint token_spans_pkey primary key (span),
    constraint token_spans_times_are_finite check (
        isfinite(iat_min) and isfinite(iat_max) and isfinite(exp_min) and isfinite(exp_max))
) with (fillfactor = 50);

comment on table token_spans is 'Inline projection: one row for each 1,024 positions among which a token was issued';
comment on column token_spans.span is 'issued_pos of its tokens, divided by 1,024';
comment on column token_spans.iat_min is 'The earliest iat of its tokens';
comment on column token_spans.iat_max is 'The latest iat of its tokens';
comment on column token_spans.exp_min is 'The earliest exp of its tokens';
comment on column token_spans.exp_max is 'The latest exp of its tokens';

insert into token_spans (span, iat_min, iat_max, exp_min, exp_max)
select issued_pos / 1024, min(iat), max(iat), min(exp), max(exp)
  from tokens
 group by issued_pos / 1024;

analyze token_spans;
