// What a server repeats of its login goes to logs, notifications and the record: there without the password.
import { cleanText } from "#shared/email/reply.ts";

export interface Login {
  user: string;
  password: string;
}

const STRUCK = "***";
/** How a text ends that was cut: what stands before it may be the beginning of the password. */
const CUT = "…";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The cleaned text of a reply with the password struck out, as it is and in the forms of AUTH PLAIN and LOGIN. */
export function withoutPassword(text: string, { user, password }: Login): string {
  const plain = cleanText(password, password.length);
  const forms = [base64(`\u0000${user}\u0000${password}`), base64(password), plain].filter((form) => form !== "");
  return forms.reduce((left, form) => withoutForm(left, form), text);
}

function withoutForm(text: string, form: string): string {
  const left = text.replaceAll(form, STRUCK);
  if (!left.endsWith(CUT)) return left;
  const said = left.slice(0, -CUT.length);
  let length = Math.min(form.length, said.length);
  while (length > 0 && !said.endsWith(form.slice(0, length))) length -= 1;
  return length === 0 ? left : `${said.slice(0, -length)}${STRUCK}${CUT}`;
}
