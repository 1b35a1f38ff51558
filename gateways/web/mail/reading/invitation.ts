/** The invitation in a message, as the card on its page. */
import { decodeUnlabelled } from '../../../message/encoded-words.ts';
import {
  readInvitation,
  type CalendarTime,
  type Guest,
  type Invitation,
} from '../../../message/invitation.ts';
import type { ReadableAttachment, ReadMessage } from '../../../message/read-message.ts';

/** For the partial `invitation`. Times in ms since 1970 are for the `time` word of templates. */
export type InvitationView = {
  /** 'Invitation', 'Cancelled', 'Answer', 'Event' */
  readonly heading: string;
  readonly cancelled: boolean;
  readonly title: string;
  readonly start: CalendarTime | undefined;
  readonly end: CalendarTime | undefined;
  readonly repeats: string | undefined;
  readonly place: string;
  /** The place, if it is a page of the web. */
  readonly placeUrl: string | undefined;
  readonly organiser: Invitation['organiser'];
  readonly guests: readonly (Guest & { words: string })[];
  readonly guestsLeft: number;
  readonly notes: string;
  readonly others: number;
};

const CALENDAR_BYTES_MAX = 256 * 1024;

/** Whether it may be an invitation: then its bytes are kept while the message is read. */
export function isCalendar({ type, name }: Pick<ReadableAttachment, 'type' | 'name'>): boolean {
  return type === 'text/calendar' || /\.ics$/i.test(name);
}

/** The first attachment that is an invitation, of a message read with `isCalendar`; undefined if none can be read as one. */
export function invitationView({
  attachments,
  contents,
}: Pick<ReadMessage, 'attachments' | 'contents'>): InvitationView | undefined {
  const found = attachments.find((one) => one.size <= CALENDAR_BYTES_MAX && isCalendar(one));
  const calendar = found && contents.get(found.index);
  const invitation = calendar && readInvitation(decodeUnlabelled(calendar));
  return invitation && view(invitation);
}

const HEADINGS: Readonly<Record<Invitation['kind'], string>> = {
  request: 'Invitation',
  cancel: 'Cancelled',
  reply: 'Answer to an invitation',
  event: 'Event',
};

const ANSWERS: Readonly<Record<Guest['answer'], string>> = {
  accepted: 'coming',
  declined: 'not coming',
  tentative: 'maybe',
  open: 'no answer yet',
};

function view(invitation: Invitation): InvitationView {
  const { kind, title, place, guests, guestsTotal, ...rest } = invitation;
  return {
    ...rest,
    heading: HEADINGS[kind],
    cancelled: kind === 'cancel',
    title: title || '(no title)',
    place,
    placeUrl: /^https:\/\/\S+$/i.test(place) && URL.canParse(place) ? place : undefined,
    guests: guests.map((guest) => ({ ...guest, words: ANSWERS[guest.answer] })),
    guestsLeft: guestsTotal - guests.length,
  };
}
