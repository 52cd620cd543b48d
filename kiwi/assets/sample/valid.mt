Lesen Sie dieses leaflet sorgfältig , bevor Sie die Tabletten einnehmen .
Es gibt einen Fehler in der zweiten Zeile der Rechnung .
Das Gericht verurteilte den Fahrer zu einer feinen von 800 Euro .
Ich würde lieber darüber am Telefon sprechen .
Die Fähre läuft nur zweimal am Tag in Winter .
Der Drucker hat kein Papier mehr und der Toner ist niedrig .
Die Waschmaschine macht seit Tagen seltsame Geräusche .
Frühstück wird serviert von sieben bis halb zehn .
Das Zimmer war sauber , aber das Bett war viel zu weich .
Kannst du bitte die Pflanzen gießen , während wir weg sind ?
Sprechen Sie mit Ihrem Arzt , wenn Sie also andere Drogen nehmen .
Die Klinik kann mit der Buslinie 81 erreicht werden .
Ich kann mich nicht anmelden , obwohl ich das Passwort tippte korrekt .
Welcher dieser beiden Termine passt Ihnen besser ?
Die Galerie zeigt Zeichnungen aus dem sechzehnten Jahrhundert .
Die App schließt von selbst , sobald ich die Kamera öffne .
Das Wasser in dem Kessel kocht bereits .
Das Museum gab das Gemälde eventuell zu der Familie zurück .
Gäste müssen ihre Zimmer bis elf Uhr verlassen .
Wir aßen unsere Sandwiches auf einem Bank in dem Park .
Zwei der vermissten Kletterer wurden am Sonntag lebend gefunden .
Halten Sie die Macht Taste für zehn Sekunden gedrückt .
Das Gericht wird seine Entscheidung auf Mittwoch ankündigen .
Könntest du mir bis Freitag zwanzig Euro leihen ?
Stellen Sie die Suppenteller in den oberen Schrank , nicht in die Schublade .
Biegen Sie nach der Kirche links und folgen Sie die Schilder zum Schloss .
Der Flug aus London musste in Hamburg landen .
Sie trug ein Licht blaues Kleid und weiße Schuhe .
Ein Hund muss in der Straßenbahn einen Maulkorb tragen .
Meine Großmutter nimmt ihre Tabletten mit einem Löffel voll Joghurt .
Die Sitze in der ersten Reihe sind für unsere Gäste reserviert .
Er ist Patient mit alle den alten Leuten auf seiner Station .
Beste Grüße von uns allen aus dem Vertriebsteam .
Die Pflanze wird geschlossen und 400 Arbeiter werden ihre Jobs verlieren .
Gibt es eine Apotheke innerhalb Gehweite ?
Sie gab das Rauchen , als sie eine Mutter bekam .
Die Pumpe startet automatisch , sobald der Wasserstand sinkt .
Die Fabrik produziert Licht Fahrräder für Kinder .
Wählen Sie „ Print “ in der Speisekarte und bestätigen Sie mit dem Enter Schlüssel .
Das Krankenhaus schedule wechselt jeden Monat .
Der Frühling in dem Deckel ist gebrochen und muss ersetzt werden .
Sie sollten einen Helm tragen , wenn Sie Fahrrad fahren .
Wenn Sie eine Dosis vergessen , nehmen Sie keine doppelte Dosis .
Die Auszubildenden teilen einen Schreibtisch in dem Raum neben mein .
Der Teppich ist braun , aber die Treppe ist grau .
Der Arzt hörte mein Herz und die Lunge ab .
Sie benötigen eine boarding Karte und einen gültigen Reisepass .
Der Fahrer des Trainers wartete , bis alle an Bord waren .
Die Regierung will zwei Billionen Euro auf neue Schulen spenden .
Die Tabletten sollten zusammen mit Nahrung eingenommen werden .
Wo kann ich in der Nähe des Bahnhofs Geld wechseln ?
Entfernen Sie die Kontakt Linsen bevor Sie die Tropfen benutzen .
Haben Sie eine Mappe der Wanderwege ?
Die Physiotherapeutin zeigte mir Übungen für meine Schulter .
Schlucken Sie die Tablette nicht ganz , sondern lassen Sie es schmelzen .
Der Zollbeamte sah an mein Passport für eine lange Zeit .
Der Stürmer traf in den letzten zehn Minuten zweimal .
Unser sensibler Chef schickte alle nach Hause vor dem Sturm .
Wir hatten zwei Einzelzimmer gebucht , bekamen aber ein Doppelzimmer .
Geben Sie die aktuelle Anzahl der gearbeiteten Stunden in den Tisch ein .
