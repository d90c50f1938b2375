import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A self-signed certificate with its key, for one connection on this machine. */
export interface Certificate {
  /** DER, as the handshake carries it. */
  readonly der: Buffer;
  readonly certificatePem: string;
  readonly keyPem: string;
}

const dayMs = 86_400_000;

/** ecdsa-with-SHA256, commonName, and the extensions of RFC 5280. */
const oids = {
  ecdsaWithSha256: "06082a8648ce3d040302",
  commonName: "0603550403",
  subjectAltName: "0603551d11",
  basicConstraints: "0603551d13",
  extendedKeyUsage: "0603551d25",
  serverAuth: "06082b06010505070301",
  clientAuth: "06082b06010505070302",
} as const;

/**
 * Makes what Terraform's client wants of a plugin (go-plugin: mtls.go): ECDSA P-256, for `localhost`, its own authority, good for
 * server and client. It lives as long as the process; Node has no maker of certificates.
 */
export function makeCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(hex(oids.ecdsaWithSha256));
  const name = sequence(der(0x31, sequence(hex(oids.commonName), utf8("localhost"))));
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    // A positive number without leading zeros.
    der(0x02, Buffer.from([1]), randomBytes(15)),
    algorithm,
    name,
    sequence(utcTime(now - dayMs), utcTime(now + 365 * dayMs)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(
      0xa3,
      sequence(
        extension(oids.basicConstraints, sequence(der(0x01, Buffer.from([0xff])))),
        extension(oids.extendedKeyUsage, sequence(hex(oids.serverAuth), hex(oids.clientAuth))),
        extension(oids.subjectAltName, sequence(der(0x82, Buffer.from("localhost")))),
      ),
    ),
  );
  const signature = sign("sha256", body, privateKey);
  const certificate = sequence(body, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    der: certificate,
    certificatePem: `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64")}\n-----END CERTIFICATE-----\n`,
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** One value of ITU-T X.690: tag, length, content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = hex(
    body.length.toString(16).padStart(2 * Math.ceil(body.length.toString(16).length / 2), "0"),
  );
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

function sequence(...content: readonly Buffer[]): Buffer {
  return der(0x30, ...content);
}

function utf8(text: string): Buffer {
  return der(0x0c, Buffer.from(text));
}

/** `YYMMDDHHMMSSZ`. */
function utcTime(timeMs: number): Buffer {
  const digits = new Date(timeMs).toISOString().replaceAll(/\D/g, "").slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(hex(oid), der(0x04, value));
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}
