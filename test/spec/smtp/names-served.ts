/** A DNS server on loopback (dns2) that knows what a test tells it; what it does not know does not exist. */
import dns2 from 'dns2';

export type Records = Readonly<Record<string, readonly string[]>>;
export type NamesServed = {
  /** `ip:port` */
  readonly address: string;
  /** Names that were asked for, with their type. */
  readonly asked: string[];
  close(): Promise<void>;
};

const { Packet } = dns2 as unknown as {
  Packet: {
    TYPE: Record<string, number>;
    CLASS: Record<string, number>;
    RCODE: Record<string, number>;
    createResponseFromRequest(request: Request): Response;
  };
};
type Request = { questions: { name: string; type: number }[] };
type Response = { header: { rcode: number }; answers: object[] };

const NXDOMAIN = 3;
const SERVFAIL = 2;

/** Keys: `TXT name`, `A name`. A list that holds 'SERVFAIL' fails; one that holds 'SILENCE' is never answered. */
export async function serveNames(records: Records): Promise<NamesServed> {
  const asked: string[] = [];
  const server = (
    dns2 as unknown as {
      createServer(options: object): {
        listen(options: object): Promise<{ udp?: { port: number } }>;
        close(): Promise<void>;
      };
    }
  ).createServer({
    udp: true,
    handle(request: Request, send: (response: Response) => void) {
      const response = Packet.createResponseFromRequest(request);
      const [{ name, type } = { name: '', type: 0 }] = request.questions;
      const typeName = Object.keys(Packet.TYPE).find((key) => Packet.TYPE[key] === type) ?? '';
      asked.push(`${typeName} ${name}`);
      const found = records[`${typeName} ${name}`.replace(name, name.toLowerCase())];
      if (found?.includes('SILENCE')) return;
      if (found?.includes('SERVFAIL')) response.header.rcode = SERVFAIL;
      else if (found === undefined) response.header.rcode = NXDOMAIN;
      else {
        for (const value of found) {
          const base = { name, type, class: Packet.CLASS['IN'], ttl: 60 };
          // A TXT record is strings of at most 255 octets (RFC 1035 §3.3).
          response.answers.push(
            typeName === 'TXT'
              ? { ...base, data: value.match(/.{1,255}/gs) ?? [''] }
              : { ...base, address: value },
          );
        }
      }
      send(response);
    },
  });
  const bound = await server.listen({ udp: { port: 0, address: '127.0.0.1' } });
  return { address: `127.0.0.1:${bound.udp!.port}`, asked, close: () => server.close() };
}
