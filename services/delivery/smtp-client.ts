// Nodemailer's SMTPConnection, which asks for SMTPUTF8 only where an address needs it: a header in UTF-8 needs it as well
// (RFC 6531 §3.4); and which takes no address with an angle bracket, though a quoted local part may have one (RFC 5321 §4.1.2).
// There are no options for that, so the commands are completed on their way out. And it takes 250 for the 354 to DATA, though a
// server that answers so waits for no message: it reads the lines of it as commands.
import SMTPConnection from "nodemailer/lib/smtp-connection";

function ownMethod(name: string): (...args: unknown[]) => unknown {
  const method: unknown = Reflect.get(SMTPConnection.prototype, name);
  if (typeof method !== "function") throw new Error(`SMTPConnection has no ${name} any more`);
  return method as (...args: unknown[]) => unknown;
}

const sendCommand = ownMethod("_sendCommand");
const actionData = ownMethod("_actionDATA");

/** Stand for angle brackets as far as the command: no address has control characters. */
const [OPEN, CLOSE] = ["\u000e", "\u000f"];

export function veilBrackets(address: string): string {
  return address.replaceAll("<", OPEN).replaceAll(">", CLOSE);
}

function unveilBrackets(command: string): string {
  return command.replaceAll(OPEN, "<").replaceAll(CLOSE, ">");
}

export class SmtpClient extends SMTPConnection {
  /** Set before a transaction whose headers are in UTF-8. */
  wantsSmtpUtf8 = false;

  _sendCommand(text: string, logged?: string): void {
    const isIncomplete = this.wantsSmtpUtf8 && text.startsWith("MAIL FROM:") && !/ SMTPUTF8\b/.test(text);
    Reflect.apply(sendCommand, this, [unveilBrackets(isIncomplete ? `${text} SMTPUTF8` : text), logged]);
  }

  _actionDATA(reply: string, done: (error: Error | null, info?: unknown) => void): void {
    const refused = { code: "EENVELOPE", command: "DATA", response: reply };
    const goOn: typeof done = (error, info) => {
      if (error === null && !reply.startsWith("3")) done(Object.assign(new Error("no go-ahead"), refused));
      else done(error, info);
    };
    Reflect.apply(actionData, this, [reply, goOn]);
  }
}
