/** Out of office in the pages: set, seen, undone; and whom it answers, by SMTP's delivery and between accounts. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTransport } from 'nodemailer';
import { accountStream } from '../../domain/streams.ts';
import { createSmtpIntake, type SmtpIntake } from '../../gateways/smtp/intake.ts';
import { ownCertificate } from '../../gateways/smtp/own-certificate.ts';
import { arrived, openHouse, type House } from './pages-house.ts';
import { alertOn, formOn, statusOn, type Answer, type Visitor } from './visitor.ts';
