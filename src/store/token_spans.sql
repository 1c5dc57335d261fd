select
    span,
    iat_min,
    iat_max,
    exp_min,
    exp_max
  from token_spans
