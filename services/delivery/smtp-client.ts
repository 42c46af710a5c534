// Nodemailer's SMTPConnection, which asks for SMTPUTF8 only where an address needs it: a header in UTF-8 needs it as well
// (RFC 6531 §3.4). There is no option for that, so the one command is completed on its way out.
import SMTPConnection from "nodemailer/lib/smtp-connection";

const sendCommand: unknown = Reflect.get(SMTPConnection.prototype, "_sendCommand");

export class SmtpClient extends SMTPConnection {
  /** Set before a transaction whose headers are in UTF-8. */
  wantsSmtpUtf8 = false;

  _sendCommand(text: string, logged?: string): void {
    if (typeof sendCommand !== "function") throw new Error("SMTPConnection has no _sendCommand any more");
    const isIncomplete = this.wantsSmtpUtf8 && text.startsWith("MAIL FROM:") && !/ SMTPUTF8\b/.test(text);
    Reflect.apply(sendCommand, this, [isIncomplete ? `${text} SMTPUTF8` : text, logged]);
  }
}
