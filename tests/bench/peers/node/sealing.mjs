// What a table may hold without whoever copies it being able to read it: the key is the visitor's cookie.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const NONCE = 12;
const TAG = 16;

const keyOf = (token) => Buffer.from(hkdfSync("sha256", token, "", "seal of a session", 32));

export function seal(token, key, text) {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", keyOf(token), nonce).setAAD(Buffer.from(key));
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** The text, or nothing if it was sealed by another key or for another place. */
export function unseal(token, key, sealed) {
  const decipher = createDecipheriv("aes-256-gcm", keyOf(token), sealed.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.from(key)).setAuthTag(sealed.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()]).toString();
  } catch {
    return undefined;
  }
}
