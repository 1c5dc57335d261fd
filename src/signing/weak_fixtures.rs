//! Keys that no keyring takes, and the DER that keys are written in.

use base64::{Engine, engine::general_purpose::STANDARD};

/// `id-ecPublicKey` and P-256, RFC 5480 section 2.1.
pub(super) const EC_P256: &[u8] =
    &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// Ed25519, RFC 8410 section 3.
const ED25519: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];

/// A DER value of this tag.
pub(super) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        short @ ..=0x7f => vec![u8::try_from(short).expect("short")],
        long => {
            let bytes = u16::try_from(long).expect("below 64 KiB").to_be_bytes();
            if bytes[0] == 0 { vec![0x81, bytes[1]] } else { vec![0x82, bytes[0], bytes[1]] }
        }
    };
    [&[tag], length.as_slice(), &content].concat()
}

/// A PEM file of one block.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// SEC 1 (RFC 5915), on P-256.
pub(super) fn ec_private_key(d: &[u8], public: Option<&[u8]>) -> Vec<u8> {
    let curve = der(0xa0, &[&EC_P256[9..]]);
    let public = public.map_or(Vec::new(), |point| der(0xa1, &[&der(3, &[&[0], point])]));
    der(0x30, &[&[2, 1, 1], &der(4, &[d]), &curve, &public])
}

/// PKCS#8 (RFC 5958) of a key on P-256.
pub(super) fn ec_pkcs8(d: &[u8], public: Option<&[u8]>) -> Vec<u8> {
    der(0x30, &[&[2, 1, 0], &der(0x30, &[EC_P256]), &der(4, &[&ec_private_key(d, public)])])
}

/// PKCS#8 (RFC 8410 section 7) of an Ed25519 key, or of one of another kind that is written alike.
pub(super) fn ed25519_private_key(d: &[u8]) -> Vec<u8> {
    octets_pkcs8(ED25519, d)
}

/// The same for X25519, which agrees on keys and signs nothing.
pub(super) fn x25519_private_key(d: &[u8]) -> Vec<u8> {
    octets_pkcs8(&[6, 3, 0x2b, 0x65, 0x6e], d)
}

fn octets_pkcs8(algorithm: &[u8], d: &[u8]) -> Vec<u8> {
    der(0x30, &[&[2, 1, 0], &der(0x30, &[algorithm]), &der(4, &[&der(4, &[d])])])
}

/// PKCS#1, base64. Made for these tests with OpenSSL: 2048 bits, public exponent 3.
pub(super) const RSA_2048_EXPONENT_3: &str = "\
    MIIEogIBAAKCAQEApTRH8iT+izho1lbecRvCmb7+OlpnfbLOjuZAlaQxalODYabn8BqXX5BmIV3ZTFf0JKc7lXCfyZCuvDTQeKqlldCSOK\
    MyTC6qRkgyJctGYC4xGXkK+BeV7jpclwhmHXCHT4X2WDDMmh2Q1M3dYwSCm/r1uY1ORWrYgZCOyd2qzxE/3MsfsXxPf3jpnybhYqwnSe7K\
    OyxaDjsw+JMPa5u3vevKJm8lDUxgZK6hAwzNtu0oDRsNAomU9VzezIou7trhVohhjdV0MWjrskD1ViXHADSFYTKMspJuaDASculvpvJLZc\
    soA2GhpZGHQms9QTN0AW42mGrhap4MycUvUIsM7QIBAwKCAQBuItqhbf8HevCO5JRLZ9cRKf7RkZpTzIm0mYBjwsucN6zrxJqgEbo/tZlr\
    k+Yy5U1txNJjoGqGYHR9eIr7HG5j4GF7F3bddHGEMCFuh4RAHstmULH6umP0JuhksEQToFo1A/mQIIhmvmCN3pOXWFcSp057s4mDnJBWYF\
    8xPnHfX8LtY6AhjmX3pAwLrBkja1M8Rg+ShT5dNYOkZPbyMO9bc3A4xMh1exvKbmmPlDzviYDXDv/pqRBRtPPYY2+zsq3HFOfHaf4uIjfE\
    hUIFgLoIzRglVIWuYOKG611JGYtuC+/uuQgowM/ZUUzzAcCMPIXxs4jdG5zn1Cez1Q6u0ZFrAoGBANOlMN+0u/leN55w60BropyU9f5b1i\
    JOGVQwMOK2EHNZzpfXt6j4qVWzu9XDkK0N/AqOOWvD0jtxcQ05MWE0alsf1A4TcBZuyPtQYZWhZHlKwdBGwg6Cx/BJkgARJV38IyEj5BHI\
    na11jAZ5VePs8cr8V2YmFq8npgj+BOwEP98JAoGBAMfThM/Kar0tyzkcuXtB6I3aj7SDjlo0UZdRyrpKQd1a8An5kE9kamEBTSzoHcVBot\
    w8SyFgOcEJXGPOw6Ys5IGMFPfPRmB9bJy7F3ysgDaoPxDicbWqOSpUPQZ0HcCFvUJb0Yn9orxqC41ckriB5uAaiYMmqsbnOcg+AK1GENPF\
    AoGBAI0Yyz/N0qY+z7718irybGhjTqmSjsGJZjggIJckCveRNGU6enClxjkifTktCx4JUrG0JkfX4Xz2S14mIOt4RudqjV63oA70hfzgQQ\
    5rmFDcgTWEgV8B2qAxDAALbj6oF2ttQraFvnOjsq77jpfzS9yoOkQZZHTFGVtUA0gC1T9bAoGBAIU3rd/cRyjJMiYTJlIr8F6RtSMCXubN\
    i7o2hybcK+jnSrFRCt+YRutWM3NFaS4rwegoMhZAJoCw6EKJ18Qd7auyuKU02ZWo8xMnZP3IVXnFf2CW9nkcJhw4KK74E9Wufiw9Nlv+bH\
    2cB7OTDHsBRJVnBldvHISaJoV+qx4uteKDAoGAKxY6LlgAomDc9zE7F4uqyzJkz6iwN6ENkZa5/pTkZI92T4y/WWQ6LoAM+SFRKKliRjiq\
    LNjiWN1LavRxngL5j3Xu+1Hkliy9juZmAsOjs0nuo/LHBroE7usj3VfrhC9pDs28d4uuPAvsxD9x0NFGQvNgY5LuOT51R2+l4g+qHlY=";

/// PKCS#1, base64. Made for these tests with OpenSSL: 4104 bits, a byte more than is taken.
pub(super) const RSA_4104: &str = "\
    MIIJLAIBAAKCAgIAwhXeWeWom0hal5DdlBxmw8FmyRVCmT7tQczb3g8dVO6UehTvSzqhCtNPR5P7Aq0VBNov20OC1+yWkdSL4+WHGV/0iv\
    Iki5cveM2ohpNUG8ZHGXPTf30B37tOD2uuFTGGqsgiApNU6bqhy7/S8SXf6myYtttV+dWQgHfOYARTQ6tknjjWI+x3TUat79/QyXjPMgyJ\
    uowk4rgVpECLs11px0ZtrAgRi4XK2ZA7MrvwDUmiJqhQEGeLtMRU/CjLGqla8kDcfJ+UGQuNCYoQdmuN//Ep/6p/59fpAtrMHlwWNK7FJ1\
    8QTM9Z7v/P8GqB2wc93UC6LOVklp3fw3rEC9sxPHhEbw/n6hs8yKUzCugkjC1SuZQ5bvk9LJL8E4B8UhXSLiMNr9QreXa6nKruPmcM525T\
    e/WxIhOkxCLFCzKWi9wOVAfSY1YD9IkV5FDRlAF512Nx3rLldgkItm/A3O9OeCyX9MC4XgkvUDw2GjyQL7MePQZN41ftPKpFSKjooRAWIv\
    J15BTi0d+c30XEPdo/1faJAr4MLwUm8NB9R+JfRJNfNLkKXgl1/rcWgS1LIaUBJN03xfm/hb/gDt6W44ojKTy20uomOO4Tk+Ui1IgT0csJ\
    M8wv3lGqzn3fvXyMoaC5Gc3ud7c/2u6E2kdLBfSkgZcifW8C+kVnJQV6eVmXV9vTAgMBAAECggIBAM3VY3rzlV0Z3vnfKR9q/5GcCuY3Je\
    pgUj72hDd80B7C57SRfzbJdwGEGRBQYGT2KtR6kUZ40sssnoMKZ1HKmvzORwsUwq1IKZB0i8YteYX7Qmw76pHKgbJFcwPnrzfKzodQuMEC\
    f4th4zWyuoQFJvP3N/61nvjXBek5JiWucJ/TpWIn5PM0VVIfI1jChSsmdJcftPGir3vCvzDzQzV2XDh6+NT5uaG+wuL5k866gluVO+LDni\
    XHquKLVZYXrU8ZTNqe7zc8BlSJa4oyYkM0zeQiX+hFamD3GqdsZA3Om75Dm9OlfiP3w+k0Y9MVIaKoi3OasdfrcEJMLIOkL0ZjsFPTmjEr\
    UduBwWvqAldJo9qGlAzSLm4IAlSKXFzcv3u0gfXR0oH3y3ZdIpCW7yRDlzyD//KX4RmV3aP7y1A3XTrXNdDy2+6ZW+G5plc38O4mqZisjr\
    5BotCtWveFzc2LPdb/ewNMmy7SfDYQwCHtD2O8y1TKmOS37OHmYlfvVGTzJUWdPH7zp0H0ReK7xGzqm/8Lp35h9FV9/ZmEHitPVpNO2YK/\
    TJa1SqfvUAlIE4fH+HQhPjx5dBGYAPSrAYW4DfEbwhoam2g6eh6WiA8Oqt7WJBZmAOsc1tPFV6fJGmiVfd/4mCLi9/hvw7Bc67xFnMBf83\
    8FtWhZ+X1V60VDfBiJAoIBAQ7rfihSC3mFhz0+PCtdn7om5PzZBTF2iVIuF6w76Vvzo2VCmBYkdBkcuWXVIvIzQqYi+RtwmpX2Y42amVdT\
    55FUJncO/QwOOyoEAUTPkG8xAyK3ZrCRgKo+qqJQPCVOPO4eENFJ4BVaApUM1QbWtR+CBX9uEBDYm1R5NLg7p4Vl4JAQ29WPDKqLKyLqwf\
    4U3uJ6gvU9BfqgvT9PjoL3NyMp5taHKzC29yk75k3bslOXzmWCWS4Xi/b7VfBBLOnPf9Ziclt+0Wbjgcx06As9eGq+RdKCeCOsW2X5u7x7\
    DdPKTaBRybleD6K5Omb0JpTNmEoWljqPY8yTR+a2F1oTfH0ZAoIBAQ0CLP6s8h/1jhff0rNdp+7Brn+V7CxA4AYqAjgYeygyxsdtb6F0dt\
    Y3pj2OSA7L+JnDo8RBwu1ywsmPDl6g+8oTm0PANj1tfeOE3BlqEK9tXosStXk/nlPI96UcZvGPqc9h1f/R/F6x6agj5c88t5XLTDCqYGqc\
    UGjgHvRIt0ZKN0vBzhTBbAA8wc1fOieRWmjGzRF2UpRavbJyYcAMOhaz0zcVCGinHQcMIpAf77AsTHjwAvwJhrSNdOErkw4adszrC1qYx2\
    N3Z15P9z9VtccPIGJBIx+bgDC5wnRkXtI2f126wGWAzyg2/3Yok8KEYnodd/dw0zumSFHFOcCSIhHLAoIBAQEGfi0XNmKrope65zezv35z\
    ndkisRCtLNLRCB92HpuLKveSlBExgCkZqEQvWa97hmEUljokivsza7QXo+I0if2a4unbxdhGQhqpG8021p5NqAGCyTPpTAZnOCLfkMKfle\
    BngJBhm1zcSsEjmKBXsSrxLJ+NWN1PhZ1QlybyMpkgX0aHYhRTOHOgDN7hc2Oa25aFBOsFvpty4I6xUQH/K3LnNk4YDAfVCzdyPmmrZ54H\
    GNAxHR/lzmCy9T0Fvahz8j0xltpi5NFFYW5Duo7LMrNjUDkfblJFTiK7/wL9Ef40MRGLjWmH5Vsxj6nzrZMcbhLpanmr0RgGJzLb4M7399\
    5BAoIBAQKEXkJ1InCOqgzykSmFwL3RGjuzvbweXXqz3DQQgJwZnx7tjQEXsProT7Fve3/pddQC6AhMlTQu1YP8u1ISIkZKnutwIM6oBgjl\
    J1V/kXTwW6/bUeQBLFiX9VsscLrjCn+HNcpHTmbgVA7ly0zbOcaxTK/J99gJIQH6A+NOwq/GIob1HDQl7QjquLFNcMpBNNY7SWjMlVQBbt\
    09hq6Lbx3/c6of1r2xQEuhzHpIw686Ex3/iwRLr5X2HRyIuu6qrjweatb/4uzbKNQ18uh9ZCv9QE3ivrIZ+6bx+q9c0IAqbWCshxfc4bit\
    U6cAWP71cLyiQRlO6oCLP0kbOX6KiC8bAoIBAQVfwBYG1+czhx7LfH6SeEibq8Ilr6Vtn5MR5wrlPcnec4yDUeXasCQGu6Gq4ykRyDQDH5\
    crakRBw4GNcK5U6j0e5/UohfI2Kx1QgHcrYRXhR/f7hgDVPg5wW/cNRd8Hj+zA4d9aDzSt6MbNgqftSaCYXMdi8/5IQ1SFV+jzJtRenQ7H\
    pEQthB9bT35THUp5GUPP7Ku+FieQEeo0/iMSlF/Xqks+js1XA4FxMeQ1Hp5QsVGtBDzHNrhPk0ZsbfB0tyIcHLWi3tK+HgzZkMcVkya1fO\
    KM3XL9Lk7dwmJ+VRhRMwuI2gEgpKOypZWSLv89RU7jyWWQV3oUrEHVNQSBEDDB";
