// The small base of facts, the same in all languages.

// country | capital, per language; article where the language has one. The last columns: continent, plural.
// en | de | fr | it | pt | es | hi | th | ja
export const countries = `
France > Paris | Frankreich > Paris | la France > Paris | la Francia > Parigi | a França > Paris | Francia > París | फ़्रांस > पेरिस | ฝรั่งเศส > ปารีส | フランス > パリ | europe
Germany > Berlin | Deutschland > Berlin | l'Allemagne > Berlin | la Germania > Berlino | a Alemanha > Berlim | Alemania > Berlín | जर्मनी > बर्लिन | เยอรมนี > เบอร์ลิน | ドイツ > ベルリン | europe
Italy > Rome | Italien > Rom | l'Italie > Rome | l'Italia > Roma | a Itália > Roma | Italia > Roma | इटली > रोम | อิตาลี > โรม | イタリア > ローマ | europe
Spain > Madrid | Spanien > Madrid | l'Espagne > Madrid | la Spagna > Madrid | a Espanha > Madri | España > Madrid | स्पेन > मैड्रिड | สเปน > มาดริด | スペイン > マドリード | europe
Portugal > Lisbon | Portugal > Lissabon | le Portugal > Lisbonne | il Portogallo > Lisbona | Portugal > Lisboa | Portugal > Lisboa | पुर्तगाल > लिस्बन | โปรตุเกส > ลิสบอน | ポルトガル > リスボン | europe
the United Kingdom > London | Großbritannien > London | le Royaume-Uni > Londres | il Regno Unito > Londra | o Reino Unido > Londres | el Reino Unido > Londres | ब्रिटेन > लंदन | สหราชอาณาจักร > ลอนดอน | イギリス > ロンドン | europe
Ireland > Dublin | Irland > Dublin | l'Irlande > Dublin | l'Irlanda > Dublino | a Irlanda > Dublin | Irlanda > Dublín | आयरलैंड > डबलिन | ไอร์แลนด์ > ดับลิน | アイルランド > ダブリン | europe
Austria > Vienna | Österreich > Wien | l'Autriche > Vienne | l'Austria > Vienna | a Áustria > Viena | Austria > Viena | ऑस्ट्रिया > वियना | ออสเตรีย > เวียนนา | オーストリア > ウィーン | europe
Switzerland > Bern | die Schweiz > Bern | la Suisse > Berne | la Svizzera > Berna | a Suíça > Berna | Suiza > Berna | स्विट्ज़रलैंड > बर्न | สวิตเซอร์แลนด์ > เบิร์น | スイス > ベルン | europe
Belgium > Brussels | Belgien > Brüssel | la Belgique > Bruxelles | il Belgio > Bruxelles | a Bélgica > Bruxelas | Bélgica > Bruselas | बेल्जियम > ब्रसेल्स | เบลเยียม > บรัสเซลส์ | ベルギー > ブリュッセル | europe
Poland > Warsaw | Polen > Warschau | la Pologne > Varsovie | la Polonia > Varsavia | a Polônia > Varsóvia | Polonia > Varsovia | पोलैंड > वारसॉ | โปแลนด์ > วอร์ซอ | ポーランド > ワルシャワ | europe
Greece > Athens | Griechenland > Athen | la Grèce > Athènes | la Grecia > Atene | a Grécia > Atenas | Grecia > Atenas | यूनान > एथेंस | กรีซ > เอเธนส์ | ギリシャ > アテネ | europe
Turkey > Ankara | die Türkei > Ankara | la Turquie > Ankara | la Turchia > Ankara | a Turquia > Ancara | Turquía > Ankara | तुर्की > अंकारा | ตุรกี > อังการา | トルコ > アンカラ | asia
Russia > Moscow | Russland > Moskau | la Russie > Moscou | la Russia > Mosca | a Rússia > Moscou | Rusia > Moscú | रूस > मॉस्को | รัสเซีย > มอสโก | ロシア > モスクワ | europe
Ukraine > Kyiv | die Ukraine > Kiew | l'Ukraine > Kiev | l'Ucraina > Kiev | a Ucrânia > Kiev | Ucrania > Kiev | यूक्रेन > कीव | ยูเครน > เคียฟ | ウクライナ > キーウ | europe
Sweden > Stockholm | Schweden > Stockholm | la Suède > Stockholm | la Svezia > Stoccolma | a Suécia > Estocolmo | Suecia > Estocolmo | स्वीडन > स्टॉकहोम | สวีเดน > สตอกโฮล์ม | スウェーデン > ストックホルム | europe
Norway > Oslo | Norwegen > Oslo | la Norvège > Oslo | la Norvegia > Oslo | a Noruega > Oslo | Noruega > Oslo | नॉर्वे > ओस्लो | นอร์เวย์ > ออสโล | ノルウェー > オスロ | europe
Denmark > Copenhagen | Dänemark > Kopenhagen | le Danemark > Copenhague | la Danimarca > Copenaghen | a Dinamarca > Copenhague | Dinamarca > Copenhague | डेनमार्क > कोपेनहेगन | เดนมาร์ก > โคเปนเฮเกน | デンマーク > コペンハーゲン | europe
Finland > Helsinki | Finnland > Helsinki | la Finlande > Helsinki | la Finlandia > Helsinki | a Finlândia > Helsinque | Finlandia > Helsinki | फ़िनलैंड > हेलसिंकी | ฟินแลนด์ > เฮลซิงกิ | フィンランド > ヘルシンキ | europe
Hungary > Budapest | Ungarn > Budapest | la Hongrie > Budapest | l'Ungheria > Budapest | a Hungria > Budapeste | Hungría > Budapest | हंगरी > बुडापेस्ट | ฮังการี > บูดาเปสต์ | ハンガリー > ブダペスト | europe
Japan > Tokyo | Japan > Tokio | le Japon > Tokyo | il Giappone > Tokyo | o Japão > Tóquio | Japón > Tokio | जापान > टोक्यो | ญี่ปุ่น > โตเกียว | 日本 > 東京 | asia
China > Beijing | China > Peking | la Chine > Pékin | la Cina > Pechino | a China > Pequim | China > Pekín | चीन > बीजिंग | จีน > ปักกิ่ง | 中国 > 北京 | asia
India > New Delhi | Indien > Neu-Delhi | l'Inde > New Delhi | l'India > Nuova Delhi | a Índia > Nova Délhi | la India > Nueva Delhi | भारत > नई दिल्ली | อินเดีย > นิวเดลี | インド > ニューデリー | asia
Thailand > Bangkok | Thailand > Bangkok | la Thaïlande > Bangkok | la Thailandia > Bangkok | a Tailândia > Bangkok | Tailandia > Bangkok | थाईलैंड > बैंकॉक | ไทย > กรุงเทพฯ | タイ > バンコク | asia
Vietnam > Hanoi | Vietnam > Hanoi | le Vietnam > Hanoï | il Vietnam > Hanoi | o Vietnã > Hanói | Vietnam > Hanói | वियतनाम > हनोई | เวียดนาม > ฮานอย | ベトナム > ハノイ | asia
South Korea > Seoul | Südkorea > Seoul | la Corée du Sud > Séoul | la Corea del Sud > Seul | a Coreia do Sul > Seul | Corea del Sur > Seúl | दक्षिण कोरिया > सियोल | เกาหลีใต้ > โซล | 韓国 > ソウル | asia
Indonesia > Jakarta | Indonesien > Jakarta | l'Indonésie > Jakarta | l'Indonesia > Giacarta | a Indonésia > Jacarta | Indonesia > Yakarta | इंडोनेशिया > जकार्ता | อินโดนีเซีย > จาการ์ตา | インドネシア > ジャカルタ | asia
Nepal > Kathmandu | Nepal > Kathmandu | le Népal > Katmandou | il Nepal > Katmandu | o Nepal > Catmandu | Nepal > Katmandú | नेपाल > काठमांडू | เนปาล > กาฐมาณฑุ | ネパール > カトマンズ | asia
Egypt > Cairo | Ägypten > Kairo | l'Égypte > Le Caire | l'Egitto > Il Cairo | o Egito > Cairo | Egipto > El Cairo | मिस्र > काहिरा | อียิปต์ > ไคโร | エジプト > カイロ | africa
Kenya > Nairobi | Kenia > Nairobi | le Kenya > Nairobi | il Kenya > Nairobi | o Quênia > Nairóbi | Kenia > Nairobi | केन्या > नैरोबी | เคนยา > ไนโรบี | ケニア > ナイロビ | africa
Morocco > Rabat | Marokko > Rabat | le Maroc > Rabat | il Marocco > Rabat | o Marrocos > Rabat | Marruecos > Rabat | मोरक्को > रबात | โมร็อกโก > ราบัต | モロッコ > ラバト | africa
Ethiopia > Addis Ababa | Äthiopien > Addis Abeba | l'Éthiopie > Addis-Abeba | l'Etiopia > Addis Abeba | a Etiópia > Adis Abeba | Etiopía > Adís Abeba | इथियोपिया > अदीस अबाबा | เอธิโอเปีย > แอดดิสอาบาบา | エチオピア > アディスアベバ | africa
Brazil > Brasília | Brasilien > Brasília | le Brésil > Brasilia | il Brasile > Brasilia | o Brasil > Brasília | Brasil > Brasilia | ब्राज़ील > ब्रासीलिया | บราซิล > บราซิเลีย | ブラジル > ブラジリア | south-america
Argentina > Buenos Aires | Argentinien > Buenos Aires | l'Argentine > Buenos Aires | l'Argentina > Buenos Aires | a Argentina > Buenos Aires | Argentina > Buenos Aires | अर्जेंटीना > ब्यूनस आयर्स | อาร์เจนตินา > บัวโนสไอเรส | アルゼンチン > ブエノスアイレス | south-america
Chile > Santiago | Chile > Santiago | le Chili > Santiago | il Cile > Santiago | o Chile > Santiago | Chile > Santiago | चिली > सैंटियागो | ชิลี > ซันติอาโก | チリ > サンティアゴ | south-america
Peru > Lima | Peru > Lima | le Pérou > Lima | il Perù > Lima | o Peru > Lima | Perú > Lima | पेरू > लीमा | เปรู > ลิมา | ペルー > リマ | south-america
Mexico > Mexico City | Mexiko > Mexiko-Stadt | le Mexique > Mexico | il Messico > Città del Messico | o México > Cidade do México | México > Ciudad de México | मेक्सिको > मेक्सिको सिटी | เม็กซิโก > เม็กซิโกซิตี | メキシコ > メキシコシティ | north-america
Cuba > Havana | Kuba > Havanna | Cuba > La Havane | Cuba > L'Avana | Cuba > Havana | Cuba > La Habana | क्यूबा > हवाना | คิวบา > ฮาวานา | キューバ > ハバナ | north-america
Canada > Ottawa | Kanada > Ottawa | le Canada > Ottawa | il Canada > Ottawa | o Canadá > Ottawa | Canadá > Ottawa | कनाडा > ओटावा | แคนาดา > ออตตาวา | カナダ > オタワ | north-america
Australia > Canberra | Australien > Canberra | l'Australie > Canberra | l'Australia > Canberra | a Austrália > Camberra | Australia > Canberra | ऑस्ट्रेलिया > कैनबरा | ออสเตรเลีย > แคนเบอร์รา | オーストラリア > キャンベラ | oceania
`

export const continents = `
europe | Europe | Europa | Europe | Europa | Europa | Europa | यूरोप | ทวีปยุโรป | ヨーロッパ
asia | Asia | Asien | Asie | Asia | Ásia | Asia | एशिया | ทวีปเอเชีย | アジア
africa | Africa | Afrika | Afrique | Africa | África | África | अफ़्रीका | ทวีปแอฟริกา | アフリカ
north-america | North America | Nordamerika | Amérique du Nord | America del Nord | América do Norte | América del Norte | उत्तरी अमेरिका | ทวีปอเมริกาเหนือ | 北アメリカ
south-america | South America | Südamerika | Amérique du Sud | America del Sud | América do Sul | América del Sur | दक्षिणी अमेरिका | ทวีปอเมริกาใต้ | 南アメリカ
oceania | Oceania | Ozeanien | Océanie | Oceania | Oceania | Oceanía | ओशिआनिया | ทวีปโอเชียเนีย | オセアニア
`

export const opposites = `
big > small | groß > klein | grand > petit | grande > piccolo | grande > pequeno | grande > pequeño | बड़ा > छोटा | ใหญ่ > เล็ก | 大きい > 小さい
hot > cold | heiß > kalt | chaud > froid | caldo > freddo | quente > frio | caliente > frío | गरम > ठंडा | ร้อน > เย็น | 暑い > 寒い
long > short | lang > kurz | long > court | lungo > corto | longo > curto | largo > corto | लंबा > छोटा | ยาว > สั้น | 長い > 短い
new > old | neu > alt | nouveau > vieux | nuovo > vecchio | novo > velho | nuevo > viejo | नया > पुराना | ใหม่ > เก่า | 新しい > 古い
good > bad | gut > schlecht | bon > mauvais | buono > cattivo | bom > mau | bueno > malo | अच्छा > बुरा | ดี > เลว | 良い > 悪い
fast > slow | schnell > langsam | rapide > lent | veloce > lento | rápido > lento | rápido > lento | तेज़ > धीमा | เร็ว > ช้า | 速い > 遅い
high > low | hoch > niedrig | haut > bas | alto > basso | alto > baixo | alto > bajo | ऊँचा > नीचा | สูง > ต่ำ | 高い > 低い
light > dark | hell > dunkel | clair > sombre | chiaro > scuro | claro > escuro | claro > oscuro | उजला > अँधेरा | สว่าง > มืด | 明るい > 暗い
heavy > light | schwer > leicht | lourd > léger | pesante > leggero | pesado > leve | pesado > ligero | भारी > हल्का | หนัก > เบา | 重い > 軽い
strong > weak | stark > schwach | fort > faible | forte > debole | forte > fraco | fuerte > débil | मज़बूत > कमज़ोर | แข็งแรง > อ่อนแอ | 強い > 弱い
rich > poor | reich > arm | riche > pauvre | ricco > povero | rico > pobre | rico > pobre | अमीर > गरीब | รวย > จน | 豊か > 貧しい
happy > sad | glücklich > traurig | heureux > triste | felice > triste | feliz > triste | feliz > triste | खुश > दुखी | ดีใจ > เสียใจ | 嬉しい > 悲しい
full > empty | voll > leer | plein > vide | pieno > vuoto | cheio > vazio | lleno > vacío | भरा > खाली | เต็ม > ว่าง | 満ちた > 空の
open > closed | offen > geschlossen | ouvert > fermé | aperto > chiuso | aberto > fechado | abierto > cerrado | खुला > बंद | เปิด > ปิด | 開く > 閉じる
wet > dry | nass > trocken | mouillé > sec | bagnato > asciutto | molhado > seco | mojado > seco | गीला > सूखा | เปียก > แห้ง | 湿った > 乾いた
early > late | früh > spät | tôt > tard | presto > tardi | cedo > tarde | temprano > tarde | जल्दी > देर | เช้า > สาย | 早い > 遅い
day > night | Tag > Nacht | jour > nuit | giorno > notte | dia > noite | día > noche | दिन > रात | กลางวัน > กลางคืน | 昼 > 夜
left > right | links > rechts | gauche > droite | sinistra > destra | esquerda > direita | izquierda > derecha | बायाँ > दायाँ | ซ้าย > ขวา | 左 > 右
loud > quiet | laut > leise | bruyant > silencieux | rumoroso > silenzioso | barulhento > silencioso | ruidoso > silencioso | शोर > शांति | ดัง > เงียบ | うるさい > 静か
clean > dirty | sauber > schmutzig | propre > sale | pulito > sporco | limpo > sujo | limpio > sucio | साफ़ > गंदा | สะอาด > สกปรก | きれい > 汚い
easy > difficult | einfach > schwierig | facile > difficile | facile > difficile | fácil > difícil | fácil > difícil | आसान > कठिन | ง่าย > ยาก | 易しい > 難しい
thick > thin | dick > dünn | épais > mince | spesso > sottile | grosso > fino | grueso > delgado | मोटा > पतला | หนา > บาง | 厚い > 薄い
`

/** How many? subject > number */
export const days = `
Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday | Montag, Dienstag, Mittwoch, Donnerstag, Freitag, Samstag, Sonntag | lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche | lunedì, martedì, mercoledì, giovedì, venerdì, sabato, domenica | segunda-feira, terça-feira, quarta-feira, quinta-feira, sexta-feira, sábado, domingo | lunes, martes, miércoles, jueves, viernes, sábado, domingo | सोमवार, मंगलवार, बुधवार, गुरुवार, शुक्रवार, शनिवार, रविवार | วันจันทร์, วันอังคาร, วันพุธ, วันพฤหัสบดี, วันศุกร์, วันเสาร์, วันอาทิตย์ | 月曜日, 火曜日, 水曜日, 木曜日, 金曜日, 土曜日, 日曜日
`

export const months = `
January, February, March, April, May, June, July, August, September, October, November, December | Januar, Februar, März, April, Mai, Juni, Juli, August, September, Oktober, November, Dezember | janvier, février, mars, avril, mai, juin, juillet, août, septembre, octobre, novembre, décembre | gennaio, febbraio, marzo, aprile, maggio, giugno, luglio, agosto, settembre, ottobre, novembre, dicembre | janeiro, fevereiro, março, abril, maio, junho, julho, agosto, setembro, outubro, novembro, dezembro | enero, febrero, marzo, abril, mayo, junio, julio, agosto, septiembre, octubre, noviembre, diciembre | जनवरी, फ़रवरी, मार्च, अप्रैल, मई, जून, जुलाई, अगस्त, सितंबर, अक्टूबर, नवंबर, दिसंबर | มกราคม, กุมภาพันธ์, มีนาคม, เมษายน, พฤษภาคม, มิถุนายน, กรกฎาคม, สิงหาคม, กันยายน, ตุลาคม, พฤศจิกายน, ธันวาคม | 一月, 二月, 三月, 四月, 五月, 六月, 七月, 八月, 九月, 十月, 十一月, 十二月
`

/** Zero to twenty in words. */
export const numbers = `
zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty | null, eins, zwei, drei, vier, fünf, sechs, sieben, acht, neun, zehn, elf, zwölf, dreizehn, vierzehn, fünfzehn, sechzehn, siebzehn, achtzehn, neunzehn, zwanzig | zéro, un, deux, trois, quatre, cinq, six, sept, huit, neuf, dix, onze, douze, treize, quatorze, quinze, seize, dix-sept, dix-huit, dix-neuf, vingt | zero, uno, due, tre, quattro, cinque, sei, sette, otto, nove, dieci, undici, dodici, tredici, quattordici, quindici, sedici, diciassette, diciotto, diciannove, venti | zero, um, dois, três, quatro, cinco, seis, sete, oito, nove, dez, onze, doze, treze, catorze, quinze, dezesseis, dezessete, dezoito, dezenove, vinte | cero, uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, diez, once, doce, trece, catorce, quince, dieciséis, diecisiete, dieciocho, diecinueve, veinte | शून्य, एक, दो, तीन, चार, पाँच, छह, सात, आठ, नौ, दस, ग्यारह, बारह, तेरह, चौदह, पंद्रह, सोलह, सत्रह, अठारह, उन्नीस, बीस | ศูนย์, หนึ่ง, สอง, สาม, สี่, ห้า, หก, เจ็ด, แปด, เก้า, สิบ, สิบเอ็ด, สิบสอง, สิบสาม, สิบสี่, สิบห้า, สิบหก, สิบเจ็ด, สิบแปด, สิบเก้า, ยี่สิบ | ゼロ, 一, 二, 三, 四, 五, 六, 七, 八, 九, 十, 十一, 十二, 十三, 十四, 十五, 十六, 十七, 十八, 十九, 二十
`
