// Enhanced status codes (RFC 3463): a value of three numbers in code, a string such as "4.4.1" on the wire.

export type StatusClass = 2 | 4 | 5;

export interface EnhancedStatusCode {
  class: StatusClass;
  subject: number;
  detail: number;
}

const PATTERN = /^([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])/;

/** The code that a text begins with. */
export function parseEnhancedStatusCode(text: string): EnhancedStatusCode | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, class_, subject, detail] = match;
  return { class: Number(class_) as StatusClass, subject: Number(subject), detail: Number(detail) };
}

export function formatEnhancedStatusCode(code: EnhancedStatusCode): string {
  return `${code.class}.${code.subject}.${code.detail}`;
}

/** The same subject and detail under another class: what a server says beside its reply code must not contradict it. */
export function withClass(code: EnhancedStatusCode, class_: StatusClass): EnhancedStatusCode {
  return { ...code, class: class_ };
}
