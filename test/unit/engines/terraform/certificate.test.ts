import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { makeCertificate } from "../../../../providers/engines/terraform/certificate.ts";

it("the certificate is for localhost, its own authority, and in force", () => {
  const { certificatePem, der } = makeCertificate();
  const certificate = new X509Certificate(certificatePem);
  expect(certificate.raw.equals(der)).toBe(true);
  expect(certificate.checkHost("localhost")).toBe("localhost");
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(true);
  expect(new Date(certificate.validFrom).getTime()).toBeLessThan(Date.now());
  expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.now());
});

it("no two certificates have one serial number", () => {
  const serials = Array.from(
    { length: 20 },
    () => new X509Certificate(makeCertificate().certificatePem).serialNumber,
  );
  expect(new Set(serials).size).toBe(serials.length);
});

it("two sides that know each other's certificate talk", async () => {
  const [mine, theirs] = [makeCertificate(), makeCertificate()];
  const server = createServer({
    cert: theirs.certificatePem,
    key: theirs.keyPem,
    ca: mine.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = connect({
    port: typeof address === "object" && address !== null ? address.port : 0,
    host: "127.0.0.1",
    servername: "localhost",
    ca: theirs.certificatePem,
    cert: mine.certificatePem,
    key: mine.keyPem,
  });
  const [socket] = (await once(server, "secureConnection")) as [TLSSocket];
  expect(socket.authorized).toBe(true);
  client.destroy();
  server.close();
});
