/** A name server on a loopback port (dns2), whose zone a test writes; names that it does not have do not exist. */
import dns2 from 'dns2';

export type Zone = {
  [name: string]: {
    mx?: readonly (readonly [preference: number, exchange: string])[];
    a?: readonly string[];
    aaaa?: readonly string[];
    /** Each one record, in strings of 255 bytes (RFC 1035 §3.3). */
    txt?: readonly string[];
    cname?: string;
    /** A response code instead of an answer (RFC 1035 §4.1.1): 2 SERVFAIL; 'silent': none comes. */
    fails?: number | 'silent';
  };
};

export type NameServer = { readonly address: string; readonly asked: string[]; stop(): Promise<void> };

const { Packet } = dns2 as unknown as { Packet: PacketTypes };
type PacketTypes = {
  TYPE: Record<string, number>;
  CLASS: { IN: number };
  createResponseFromRequest(request: unknown): {
    header: { rcode: number; aa: number };
    answers: unknown[];
  };
};

export async function startNameServer(zone: Zone): Promise<NameServer> {
  const asked: string[] = [];
  const server = dns2.createServer({
    udp: true,
    handle: (request, send) => {
      const response = Packet.createResponseFromRequest(request);
      const { name, type } = request.questions[0] as unknown as { name: string; type: number };
      asked.push(name.toLowerCase());
      const found = zone[name.toLowerCase()];
      if (found?.fails === 'silent') return;
      if (found === undefined) response.header.rcode = 3;
      else if (found.fails !== undefined) response.header.rcode = found.fails;
      else response.answers.push(...answers(zone, name.toLowerCase(), type));
      void send(response as never);
    },
  });
  await server.listen({ udp: { port: 0, address: '127.0.0.1' } });
  const { port } = (server.addresses() as unknown as { udp: { port: number } }).udp;
  return { address: `127.0.0.1:${port}`, asked, stop: () => server.close() as unknown as Promise<void> };
}

/** Of aliases that lead to one another as many as a name server follows. */
const ALIASES_MAX = 8;

function answers(zone: Zone, name: string, type: number, aliases = 0): unknown[] {
  const { TYPE, CLASS } = Packet;
  const { mx = [], a = [], aaaa = [], txt = [], cname } = zone[name] ?? {};
  const record = (of: number, more: object) => ({ name, type: of, class: CLASS.IN, ttl: 60, ...more });
  if (cname !== undefined) {
    const led = aliases < ALIASES_MAX ? answers(zone, cname, type, aliases + 1) : [];
    return [record(TYPE['CNAME']!, { domain: cname }), ...led];
  }
  if (type === TYPE['MX']) return mx.map(([priority, exchange]) => record(type, { priority, exchange }));
  if (type === TYPE['A']) return a.map((address) => record(type, { address }));
  if (type === TYPE['AAAA']) return aaaa.map((address) => record(type, { address }));
  if (type === TYPE['TXT'])
    return txt.map((text) => record(type, { data: text.match(/[^]{1,255}/g) ?? [''] }));
  return [];
}
