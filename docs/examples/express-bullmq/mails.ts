// The mails, and the server that sends them: in place of yours.

export interface Mail {
  readonly id: string;
  readonly to: string;
}

/** Sends a mail. */
export async function send(mail: Mail, signal: AbortSignal): Promise<void> {
  const url = process.env['MAIL_URL'] as string;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(mail), signal });
  if (!response.ok) throw new Error(`The mail server answered with ${response.status}`);
}
