/** Writes sales.csv: two years of days of 40 shops, with the columns of a well-known competition on a chain's sales. */
import { writeFileSync } from 'node:fs';

const SHOPS = 40;
const DAYS = 730;
let state = 7;
/** The same numbers for everyone. */
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}
const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
const oneOf = (list) => list[Math.floor(random() * list.length)];

const shops = Array.from({ length: SHOPS }, (_, at) => ({
  shop: at + 1,
  kind: oneOf(['corner', 'mall', 'station', 'outlet']),
  assortment: oneOf(['basic', 'extra', 'extended']),
  competition: Math.round(100 + 9900 * random() ** 2),
  size: 1 + 0.15 * normal(),
}));
const OF_KIND = { corner: 4200, mall: 6400, station: 5600, outlet: 7300 };
const OF_ASSORTMENT = { basic: 1, extra: 1.08, extended: 1.2 };
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const OF_WEEKDAY = [1.18, 1.02, 0.97, 0.96, 1.04, 0.88];

const rows = ['shop,date,weekday,month,promo,school_holiday,kind,assortment,competition_m,sales'];
for (let day = 0; day < DAYS; day++) {
  const date = new Date(Date.UTC(2023, 0, 2 + day));
  const weekday = (date.getUTCDay() + 6) % 7;
  if (weekday === 6) continue; // closed on Sundays
  const month = date.getUTCMonth() + 1;
  const isPromo = Math.floor(day / 7) % 2 === 0 && weekday < 5;
  const isHoliday = month === 7 || month === 8 || (month === 12 && date.getUTCDate() > 22);
  for (const { shop, kind, assortment, competition, size } of shops) {
    const season = month === 12 ? 1.25 : 1 + 0.04 * Math.sin((2 * Math.PI * month) / 12);
    const rival = 1 - 0.15 * Math.exp(-competition / 1500);
    const expected =
      OF_KIND[kind] *
      OF_ASSORTMENT[assortment] *
      OF_WEEKDAY[weekday] *
      season *
      rival *
      size *
      (isPromo ? 1.35 : 1) *
      (isHoliday && kind === 'station' ? 0.8 : 1);
    const sales = Math.max(200, Math.round(expected * Math.exp(0.08 * normal())));
    const cells = [
      shop,
      date.toISOString().slice(0, 10),
      WEEKDAYS[weekday],
      `m${month}`,
      isPromo ? 'yes' : 'no',
    ];
    rows.push([...cells, isHoliday ? 'yes' : 'no', kind, assortment, competition, sales].join(','));
  }
}
writeFileSync('sales.csv', `${rows.join('\n')}\n`);
