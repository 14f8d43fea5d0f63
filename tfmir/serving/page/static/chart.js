// Drawing of the map: points, the hits, the song that is asked about, and where a pointer is.

const REST = 0.05; // of the width, around the points
// Each at least 3 : 1 on the light and on the dark card.
export const PALETTE = ["#4477aa", "#e8546a", "#258a36", "#a58d00", "#1f93bd", "#b4457f", "#cc7000", "#7f66cc", "#4f8f86", "#9a6b1a"];
const OTHER = "#8a8a85";

export class Chart {
  /** @param canvas that is drawn on; `view` is the middle and the zoom, in shares of the map. */
  constructor(canvas) {
    this.canvas = canvas;
    this.points = { rows: [], x: [], y: [] };
    this.spans = [1, 1];
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
    this.colours = [];
    this.marks = { query: -1, hits: new Map(), active: -1 };
  }

  /** New points, whose longer side is 1. */
  setPoints({ rows, x, y }) {
    const [left, right, low, high] = [least(x), most(x), least(y), most(y)];
    const side = Math.max(right - left, high - low) || 1;
    this.spans = [(right - left) / side || 1, (high - low) / side || 1];
    const into = (values, from, to) => values.map((value) => 0.5 + (value - (from + to) / 2) / side);
    this.points = { rows, x: into(x, left, right), y: into(y, low, high).map((value) => 1 - value) };
    this.at = new Map(rows.map((row, number) => [row, number]));
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
  }

  /** @param tags number of a colour for each point, -1 for none. @param hollow whether each is drawn as a ring. */
  setColours(tags, hollow) {
    this.colours = tags.map((tag) => (tag >= 0 && tag < PALETTE.length ? PALETTE[tag] : OTHER));
    this.hollow = hollow;
  }

  place(at) {
    const side = this.side;
    const { x, y, zoom } = this.view;
    return [(this.points.x[at] - x) * side * zoom + this.width / 2, (this.points.y[at] - y) * side * zoom + this.height / 2];
  }

  /** Pixels of that side, so that all points are seen. */
  get side() {
    return Math.min(this.width / this.spans[0], this.height / this.spans[1]) * (1 - 2 * REST);
  }

  draw() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    const dense = devicePixelRatio || 1;
    [this.width, this.height] = [box.width, box.height];
    const [wide, tall] = [Math.round(box.width * dense), Math.round(box.height * dense)];
    if (this.canvas.width !== wide || this.canvas.height !== tall) Object.assign(this.canvas, { width: wide, height: tall });
    const pen = this.canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, box.width, box.height);
    this.drawPoints(pen);
    this.drawMarks(pen, getComputedStyle(this.canvas));
  }

  drawPoints(pen) {
    const radius = Math.min(6, Math.max(1.6, 90 / Math.sqrt(this.points.rows.length + 1)) * Math.sqrt(this.view.zoom));
    pen.lineWidth = Math.max(1, radius * 0.45);
    pen.globalAlpha = 0.85;
    for (const colour of new Set(this.colours)) {
      const [full, rings] = [new Path2D(), new Path2D()];
      this.colours.forEach((own, at) => {
        if (own !== colour) return;
        const [x, y] = this.place(at);
        const path = this.hollow[at] ? rings : full;
        const size = this.hollow[at] ? radius * 0.8 : radius;
        path.moveTo(x + size, y);
        path.arc(x, y, size, 0, 7);
      });
      pen.fillStyle = pen.strokeStyle = colour;
      pen.fill(full);
      pen.stroke(rings);
    }
    pen.globalAlpha = 1;
  }

  drawMarks(pen, style) {
    const [ink, paper] = [style.getPropertyValue("--ink"), style.getPropertyValue("--card")];
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `600 11px ${style.fontFamily}`;
    for (const [row, rank] of [...this.marks.hits].reverse()) {
      if (!this.at?.has(row)) continue;
      const at = this.at.get(row);
      const [x, y] = this.place(at);
      disc(pen, x, y, rank <= 9 ? 9 : 5, paper, this.colours[at], 3);
      pen.fillStyle = ink;
      if (rank <= 9) pen.fillText(String(rank), x, y + 0.5);
    }
    if (this.at?.has(this.marks.query)) {
      const [x, y] = this.place(this.at.get(this.marks.query));
      disc(pen, x, y, 10, ink, paper, 1.5);
      disc(pen, x, y, 3, paper, paper, 1);
    }
    if (this.marks.active >= 0 && this.marks.active < this.points.rows.length) {
      const [x, y] = this.place(this.marks.active);
      pen.lineWidth = 2.5;
      pen.strokeStyle = style.getPropertyValue("--focus");
      pen.beginPath();
      pen.arc(x, y, 13, 0, 7);
      pen.stroke();
    }
  }

  /** The point nearest to a place of the canvas, within so many pixels; -1 if there is none. */
  nearest(x, y, within) {
    let [found, least_] = [-1, within ** 2];
    for (let at = 0; at < this.points.rows.length; at++) {
      const [left, top] = this.place(at);
      const far = (left - x) ** 2 + (top - y) ** 2;
      if (far < least_) [found, least_] = [at, far];
    }
    return found;
  }

  /** The next point from one in a direction: near, and not far off to the side. */
  towards(from, dx, dy) {
    let [found, least_] = [from, Infinity];
    for (let at = 0; at < this.points.rows.length; at++) {
      const [x, y] = [this.points.x[at] - this.points.x[from], this.points.y[at] - this.points.y[from]];
      const [ahead, aside] = [x * dx + y * dy, Math.abs(x * dy - y * dx)];
      if (at !== from && ahead > 1e-9 && aside <= ahead * 1.5 && ahead + 2 * aside < least_) [found, least_] = [at, ahead + 2 * aside];
    }
    return found;
  }

  /** Zooms by a factor; `at` stays where it is, if given. */
  zoomBy(factor, [x, y] = [this.width / 2, this.height / 2]) {
    const { zoom } = this.view;
    const next = Math.min(40, Math.max(1, zoom * factor));
    const shift = (1 / zoom - 1 / next) / this.side;
    this.view.x += (x - this.width / 2) * shift;
    this.view.y += (y - this.height / 2) * shift;
    this.view.zoom = next;
    if (next === 1) this.view = { x: 0.5, y: 0.5, zoom: 1 };
  }

  moveBy(dx, dy) {
    this.view.x -= dx / (this.side * this.view.zoom);
    this.view.y -= dy / (this.side * this.view.zoom);
  }

  /** Moves the view so that a point is in it. */
  reveal(at) {
    const [x, y] = this.place(at);
    if (x < 10 || y < 10 || x > this.width - 10 || y > this.height - 10) {
      Object.assign(this.view, { x: this.points.x[at], y: this.points.y[at] });
    }
  }
}

const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

function disc(pen, x, y, radius, fill, line, width) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fillStyle = fill;
  pen.fill();
  pen.lineWidth = width;
  pen.strokeStyle = line;
  pen.stroke();
}
