//! Lines over a plane whose two axes both count in powers of ten: as a picture, and in the terminal.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::RGBColor;
use textplots::{Chart as Canvas, ColorPlot, Shape};

use crate::{Result, named};

/// Colours that also the colour-blind can tell apart (Okabe and Ito).
const COLORS: [(u8, u8, u8); 4] = [(230, 159, 0), (213, 94, 0), (0, 158, 115), (0, 114, 178)];

/// The terminal's chart, in characters.
const SIZE: (u32, u32) = (60, 14);

pub struct Chart<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Chart<'_> {
    /// Draws it into an SVG file.
    pub fn save(&self, file: &Path) -> Result {
        let area = SVGBackend::new(file, (900, 560)).into_drawing_area();
        self.draw(&area)
            .and_then(|()| area.present())
            .map_err(|why| named(&file.display().to_string())(why))
    }

    fn draw<'a>(
        &self,
        area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    ) -> std::result::Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        let (x, y) = (self.range(|point| point.0), decades(self.range(|point| point.1)));
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .margin(20)
            .caption(self.title, ("sans-serif", 22))
            .x_label_area_size(50)
            .y_label_area_size(90)
            .build_cartesian_2d((x.0..x.1 * 1.1).log_scale(), (y.0..y.1).log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| thousands(*x))
            .y_label_formatter(&|y| thousands(*y))
            .label_style(("sans-serif", 14))
            .draw()?;
        for (line, (r, g, b)) in self.lines.iter().zip(COLORS) {
            let color = RGBColor(r, g, b);
            let dots = line
                .points
                .iter()
                .map(|point| Circle::new(*point, 4, color.filled()));
            chart
                .draw_series(LineSeries::new(line.points.clone(), color.stroke_width(2)))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
            chart.draw_series(dots)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.2))
            .label_font(("sans-serif", 14))
            .draw()
    }

    /// Draws it for the terminal: a power of ten in front of its row, a line's name where it ends.
    pub fn text(&self) -> String {
        let (x, y) = (self.range(|point| point.0), decades(self.range(|point| point.1)));
        let mut text = format!("{}\n{}\n", self.title, self.y);
        let row = |value: f64| {
            let down = (y.1 / value).log10() / (y.1 / y.0).log10();
            (down * f64::from(SIZE.1 - 1)).round() as usize
        };
        let powers = (0..10)
            .map(|power| 10f64.powi(power))
            .filter(|power| (y.0..=y.1).contains(power));
        let powers: Vec<f64> = powers.collect();
        for (at, dots) in self.canvas(x, y).lines().enumerate() {
            let power = powers.iter().find(|power| row(**power) == at);
            let ends = |line: &&Line| line.points.last().is_some_and(|point| row(point.1) == at);
            let names: Vec<_> = self
                .lines
                .iter()
                .filter(ends)
                .map(|line| line.name.as_str())
                .collect();
            let power = power.map(|power| thousands(*power)).unwrap_or_default();
            text += &format!("{power:>12} {dots} {}\n", names.join(", "));
        }
        let (from, to) = (thousands(x.0), thousands(x.1));
        let width = SIZE.0 as usize - from.len();
        text + &format!("{:13}{from}{to:>width$}\n{:13}{}\n", "", "", self.x)
    }

    /// The lines, in dots of which a character has two by four.
    fn canvas(&self, x: (f64, f64), y: (f64, f64)) -> String {
        let log = |(x, y): (f64, f64)| (x.log10() as f32, y.log10() as f32);
        let lines: Vec<Vec<_>> = self
            .lines
            .iter()
            .map(|line| line.points.iter().map(|point| log(*point)).collect())
            .collect();
        let shapes: Vec<_> = lines.iter().map(|line| Shape::Lines(line)).collect();
        let ((left, bottom), (right, top)) = (log((x.0, y.0)), log((x.1, y.1)));
        let mut canvas = Canvas::new_with_y_range(SIZE.0 * 2 - 1, SIZE.1 * 4 - 1, left, right, bottom, top);
        let drawn = shapes
            .iter()
            .zip(COLORS)
            .fold(&mut canvas, |canvas, (shape, color)| {
                canvas.linecolorplot(shape, color.into())
            });
        drawn.figures();
        drawn.frame()
    }

    /// The least and the greatest of what all points have there.
    fn range(&self, of: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = || self.lines.iter().flat_map(|line| &line.points).map(&of);
        (
            values().fold(f64::MAX, f64::min),
            values().fold(f64::MIN_POSITIVE, f64::max),
        )
    }
}

/// A range widened to whole powers of ten.
fn decades((least, greatest): (f64, f64)) -> (f64, f64) {
    let (down, up) = (least.log10().floor() as i32, greatest.log10().ceil() as i32);
    (10f64.powi(down), 10f64.powi(up.max(down + 1)))
}

/// A number with commas, as in 10,000.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
