/**
 * An account's mail: every command and every event by its name. What always holds:
 *
 *   a message lies in exactly one folder until it is deleted for good
 *   a message belongs to one conversation, from its arrival on
 *   a command that would change nothing is accepted with no events, so that sending it again is harmless
 *   only what lies in the trash or in spam, or is a draft, is deleted for good, and that can be undone a while
 *
 * Left out: parsing mail (a gateway’s work), and the delivery to other systems (outbound/).
 */
import type { DomainArea, EventHandler } from '../decider.ts';
import { bulkStarted, bulkUndone, carryOutBulk, startBulk, undoBulk, undoBulkStep } from './changes/bulk.ts';
import {
  changeMessages,
  deleteMessages,
  finishDeletion,
  messagesChangedAndDue,
  messagesDeleted,
  undoChange,
  wakeMessages,
} from './changes/change.ts';
import { changeRules, rulesChanged } from './rules/change-rules.ts';
import { changeVacation, vacationChanged } from './vacation/change-vacation.ts';
import { draftSaved, saveDraft } from './sending/draft.ts';
import { deliveryRecorded, recordDelivery } from './sending/delivery.ts';
import { earlierEvents } from './earlier-events.ts';
import type { MailEvent } from './events.ts';
import { spamLearned } from './spam/lessons.ts';
import {
  changeFolder,
  createFolder,
  deleteFolder,
  folderChanged,
  folderCreated,
  folderDeleted,
  folderRestored,
  restoreFolder,
} from './changes/own-folders.ts';
import { importMessage } from './import.ts';
import { messageReceived, receiveMessage } from './receive.ts';
import {
  cancelSending,
  messageReleased,
  messageScheduled,
  messageSent,
  releaseMessage,
  sendingCancelled,
  sendMessage,
} from './sending/send.ts';
import { messageSentOutside, sendOutside } from './sending/send-outside.ts';
import { recordUnsubscribe, unsubscribed } from './unsubscribe.ts';
import { vacationReplied } from './vacation/vacation.ts';

export function createMail(limits: { readonly messageBytesMax: number }): DomainArea {
  return {
    commands: {
      'mail.ReceiveMessage': receiveMessage(limits.messageBytesMax),
      'mail.ImportMessage': importMessage(limits.messageBytesMax),
      'mail.SendMessage': sendMessage(limits.messageBytesMax),
      'mail.ReleaseMessage': releaseMessage,
      'mail.CancelSending': cancelSending,
      'mail.SendOutside': sendOutside(limits.messageBytesMax),
      'mail.RecordDelivery': recordDelivery,
      'mail.SaveDraft': saveDraft,
      'mail.ChangeMessages': changeMessages,
      'mail.DeleteMessages': deleteMessages,
      'mail.UndoChange': undoChange,
      'mail.WakeMessages': wakeMessages,
      'mail.FinishDeletion': finishDeletion,
      'mail.StartBulk': startBulk,
      'mail.CarryOutBulk': carryOutBulk,
      'mail.UndoBulk': undoBulk,
      'mail.UndoBulkStep': undoBulkStep,
      'mail.CreateFolder': createFolder,
      'mail.ChangeFolder': changeFolder,
      'mail.DeleteFolder': deleteFolder,
      'mail.RestoreFolder': restoreFolder,
      'mail.ChangeRules': changeRules,
      'mail.ChangeVacation': changeVacation,
      'mail.RecordUnsubscribe': recordUnsubscribe,
    },
    events: { ...mailEvents, ...earlierEvents },
  };
}

const mailEvents: { readonly [Type in MailEvent['type']]: EventHandler } = {
  'mail.MessageReceived': messageReceived,
  'mail.MessageSent': messageSent,
  'mail.MessageScheduled': messageScheduled,
  'mail.MessageReleased': messageReleased,
  'mail.MessageSentOutside': messageSentOutside,
  'mail.SendingCancelled': sendingCancelled,
  'mail.DraftSaved': draftSaved,
  'mail.MessagesChanged': messagesChangedAndDue,
  'mail.MessagesDeleted': messagesDeleted,
  'mail.BulkStarted': bulkStarted,
  'mail.BulkUndone': bulkUndone,
  'mail.FolderCreated': folderCreated,
  'mail.FolderChanged': folderChanged,
  'mail.FolderDeleted': folderDeleted,
  'mail.FolderRestored': folderRestored,
  'mail.RulesChanged': rulesChanged,
  'mail.VacationChanged': vacationChanged,
  'mail.VacationReplied': vacationReplied,
  'mail.SpamLearned': spamLearned,
  'mail.Unsubscribed': unsubscribed,
  'mail.DeliveryRecorded': deliveryRecorded,
};
