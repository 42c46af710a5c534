// A refusal in an SMTP session: reply code, enhanced status code (RFC 3463) and a text that names the fault.

export interface Refusal {
  code: number;
  enhanced: string;
  text: string;
}

export const refusal = (code: number, enhanced: string, text: string): Refusal => ({ code, enhanced, text });

/** As smtp-server takes it; the connection sends the enhanced status code that the text begins with. */
export class SmtpRefusal extends Error {
  override readonly name = "SmtpRefusal";
  readonly responseCode: number;

  constructor({ code, enhanced, text }: Refusal, cause?: unknown) {
    super(`${enhanced} ${text}`, cause === undefined ? {} : { cause });
    this.responseCode = code;
  }
}

export const MESSAGE_TOO_BIG = refusal(552, "5.3.4", "the message is larger than 20971520 bytes");
export const BUSY = refusal(451, "4.3.0", "not accepted, please try again later");
export const AUTHENTICATION_REQUIRED = refusal(530, "5.7.0", "authentication required");
