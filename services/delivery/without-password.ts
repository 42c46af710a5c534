// What a server repeats of its login goes to logs, notifications and the record: there without the password.

export interface Login {
  user: string;
  password: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** The reply's text with the password struck out, as it is and in the forms of AUTH PLAIN and LOGIN. */
export function withoutPassword(text: string, { user, password }: Login): string {
  const forms = [base64(`\u0000${user}\u0000${password}`), base64(password), password].filter((form) => form !== "");
  return forms.reduce((left, form) => left.replaceAll(form, "***"), text);
}
